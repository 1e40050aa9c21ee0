#!/usr/bin/env bash
# A JSON Schema number whose default is whole becomes Java that does not compile.
#
# "weight": {"type": "number", "default": 1.0} is as valid as a default of 0.05. JSON does not tell 1.0 from 1, so the
# generator of AsyncAPI's tools writes `private Double weight = 1;`, and Java turns no int into a Double. With 0.05 it
# compiles: whether a contract can be used from Java hangs on a default being whole.
#
# Expected: a literal of the field's own type (1.0), or no initialiser. Seen with @asyncapi/modelina 5.10.1 and javac 17.
# Needs node, npm and javac. Ends with 0 while it is as described.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log 2>&1
npm install --silent --no-fund --no-audit @asyncapi/modelina@5.10.1 >>npm.log 2>&1
cat >generate.js <<'JS'
const { JavaGenerator } = require("@asyncapi/modelina");
const [name, type, value] = process.argv.slice(2);
const properties = { field: { type, default: JSON.parse(value) } };
const schema = { $schema: "http://json-schema.org/draft-07/schema#", $id: name, type: "object", properties };
new JavaGenerator().generate(schema).then((models) =>
  console.log("import java.util.Map;\n" + models.map((model) => model.result).join("\n")));
JS

javac -version 2>&1
echo "@asyncapi/modelina $(node -p 'require("@asyncapi/modelina/package.json").version')"
check() { # NAME TYPE DEFAULT EXPECTED
    node generate.js "$1" "$2" "$3" >"$1.java"
    if javac -d classes "$1.java" >javac.log 2>&1; then seen=compiles; else seen="does not compile"; fi
    echo "$2 with default $3: $(grep -o 'private .* field.*;' "$1.java"): $seen"
    [ "$seen" = "$4" ]
}
check Fraction number 0.05 compiles
check Whole number 1.0 "does not compile"
