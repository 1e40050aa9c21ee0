"""The model: no look into the future, the same bytes each time, numpy scores what scikit-learn trained, reasons sum."""

import msgspec
import numpy as np
import orjson
import pytest

from handlers.churn.design_matrix import COLUMN_NAMES, COLUMNS, design, logit
from handlers.churn.drift import psi, reference
from handlers.churn.inputs import NAMES, asked_about
from handlers.churn.model import ChurnModel, ModelError, Scorer, dumps, loads, sigmoid, weights_of
from handlers.churn.purchase_models import PurchaseModel
from handlers.churn.scoring import new_columns, reach, score_rows
from learning.backtest import LeakError, backtest, predictions
from learning.churn_blend import Rows, members
from learning.churn_members import boosted, columns_for, exported, linear_logits, tree_places
from learning.churn_training import Trained, train
from learning.history import History
from learning.snapshots import snapshots
from schemas.units import DAY_MS, parse_rfc3339, rfc3339
from tests.learning.conftest import HORIZON, UNTIL, read_lines
from tests.models import by_hand


def test_what_happens_after_the_split_changes_no_byte_of_model_or_predictions(
    lines: list[bytes], history: History, trained: Trained
) -> None:
    """Every later event is turned into its opposite, thousandfold, or left out; some customers get a planted sign."""
    tampered = []
    for number, line in enumerate(lines):
        row = orjson.loads(line)
        if parse_rfc3339(row["occurred_at"]) >= UNTIL:
            if number % 3 == 0:
                continue
            row |= {"amount_minor": -1000 * row["amount_minor"], "type": "salary", "balance_minor": 7, "channel": "atm"}
        tampered.append(orjson.dumps(row))
    other = backtest(read_lines(tampered), UNTIL, HORIZON)
    known = backtest(history, UNTIL, HORIZON, trained.model)
    assert dumps(msgspec.structs.replace(other.model, measured=None)) == dumps(trained.model)
    assert predictions(other.customers, other.score) == predictions(known.customers, known.score)
    assert not np.array_equal(other.left, known.left)  # the tampering was seen where it may be: in the outcome


def test_a_model_that_has_seen_the_split_or_has_another_horizon_is_refused(history: History, trained: Trained) -> None:
    with pytest.raises(LeakError, match="after the split"):
        backtest(history, UNTIL - 1, HORIZON, trained.model)
    with pytest.raises(LeakError, match="horizon of 30 days, not 31"):
        backtest(history, UNTIL, 31, trained.model)


def test_the_youngest_learned_from_is_told(trained: Trained, history: History) -> None:
    training = trained.model.training
    youngest = parse_rfc3339(training.cutoffs[0]) - int(history.clock[0])
    assert 40 * DAY_MS < training.youngest_days * DAY_MS <= youngest  # fifty had come a little later than the first
    assert youngest == 60 * DAY_MS + (UNTIL - int(history.clock[0])) % DAY_MS


def test_training_again_gives_the_same_bytes(history: History, trained: Trained) -> None:
    assert dumps(train(history, UNTIL, HORIZON).model) == dumps(trained.model)


def test_who_is_long_silent_is_no_row_to_learn_from(lines: list[bytes], trained: Trained) -> None:
    """As many as were ever active came for a few days once; nobody asks about them."""
    dormant = [
        orjson.dumps(row | {"event_id": f"d-{n}", "customer_id": f"dormant-{n % 250}", "account_id": f"d-{n % 250}"})
        for n, row in enumerate(map(orjson.loads, lines[:750]))
    ]
    found = train(read_lines([*dormant, *lines]), UNTIL, HORIZON).model.training
    assert found.customers > 1.8 * trained.model.training.customers
    assert (found.rows, found.silent_share) == (trained.model.training.rows, trained.model.training.silent_share)


def test_what_is_told_of_a_model_is_of_days_that_its_members_had_not_seen() -> None:
    """What had held at every cut-off is the other way round at the last."""
    chance = np.random.default_rng(0)
    columns = chance.normal(size=(2_400, len(COLUMNS)))
    cutoff = np.repeat(np.arange(4), 600)
    sure = np.where(cutoff == 3, -1, 1) * columns[:, COLUMN_NAMES.index("log_silence")]
    left = (chance.random(2_400) < sigmoid(3 * sure)).astype(np.float64)
    ones = np.ones(2_400, np.int64)
    rows = Rows(columns, left, np.tile(np.arange(600), 4), ones, cutoff * DAY_MS, ones * 1.0, ones * 1.0)
    parts = members(rows, None, False, lambda text: None)
    assert parts.auc < 0.3
    assert parts.log_loss > 1.0


def test_nothing_is_measured_before_the_horizon_is_over(history: History, trained: Trained) -> None:
    found = backtest(history.until(UNTIL + 10 * DAY_MS), UNTIL, HORIZON, trained.model)
    assert (found.methods, found.detection, found.model.measured) == ([], None, None)
    assert found.remarks[-1].endswith("is known from 2025-07-31 on, and nothing is measured before.")


def test_the_file_scores_as_the_model_that_was_written(trained: Trained) -> None:
    data = dumps(trained.model)
    assert len(data) < 2_000_000
    again = loads(data)
    assert again == trained.model
    inputs = trained.last.inputs
    assert np.array_equal(Scorer(again).scores(inputs), Scorer(trained.model).scores(inputs))


def test_a_row_has_the_score_that_it_has_among_others(trained: Trained) -> None:
    scorer, inputs = Scorer(trained.model), trained.last.inputs
    together = scorer.scores(inputs)
    assert [float(scorer.scores(inputs[k : k + 1])[0]) for k in range(20)] == together[:20].tolist()


def test_reasons_sum_to_the_score(trained: Trained) -> None:
    scorer = Scorer(trained.model)
    scores = scorer.scores(trained.last.inputs)
    for k in range(0, len(scores), 17):
        why = scorer.explained(trained.last.inputs[k])
        assert why.score == pytest.approx(scores[k], abs=1e-9)
        assert why.base + sum(why.moved_by.values()) == pytest.approx(why.logit, abs=1e-9)
        assert set(why.moved_by) <= {*NAMES, "purchase_model"}
        assert list(map(abs, why.moved_by.values())) == sorted(map(abs, why.moved_by.values()), reverse=True)


def test_exported_trees_say_what_scikit_learn_says(trained: Trained) -> None:
    inputs, model = trained.last.inputs, trained.model
    columns = design(inputs, float(HORIZON), model.bg_nbd, model.mbg_nbd)
    y = (np.arange(len(columns)) % 3 == 0).astype(np.float64)
    places = tree_places(columns, columns_for(carried=False))
    forests = [boosted(columns, y, places, 8, 0.05, 30, seed) for seed in (0, 1)]
    only_trees = msgspec.structs.replace(model, trees=exported(forests, places), blend=[0.0, 0.0, 0.0, 1.0])
    theirs = np.mean([forest.decision_function(columns[:, places]) for forest in forests], axis=0)
    assert Scorer(only_trees).logits(inputs) == pytest.approx(theirs, abs=1e-9)
    assert np.isnan(columns[:, places]).any()  # missing values went their way too


def test_linear_members_score_in_the_kernel_as_in_training(trained: Trained) -> None:
    inputs, model = trained.last.inputs, trained.model
    columns = design(inputs, float(HORIZON), model.bg_nbd, model.mbg_nbd)
    only = msgspec.structs.replace(model, blend=[0.0, 0.0, 1.0, 0.0])
    assert Scorer(only).logits(inputs) == pytest.approx(linear_logits(model.logistic, columns), abs=1e-9)


def test_silence_that_has_reached_the_gap_is_sure_and_longer_silence_is_likelier(trained: Trained) -> None:
    scorer = Scorer(trained.model)
    inputs = np.repeat(trained.last.inputs[:1], 3, axis=0)
    p = scorer.silence(inputs, np.array([1.0, 29.0, 30.0]), 30.0)
    assert p[0] < p[1] < p[2]
    assert p[2] > 0.999


def test_too_few_labels_leave_the_purchase_models_alone_but_for_their_level(lines: list[bytes]) -> None:
    few = [line for line in lines if orjson.loads(line)["customer_id"] in {f"sim-c-{k}" for k in range(12)}]
    found = train(read_lines(few), UNTIL, HORIZON)
    assert found.model.blend[1:] == [1.0, 0.0, 0.0]
    scores = Scorer(found.model).scores(found.last.inputs)
    assert ((scores > 0) & (scores < 1)).all()


def test_where_nobody_ever_left_hardly_anybody_is_expected_to() -> None:
    """Forty who come every fifth day: a purchase model, to which gaps are chance, would expect more to stay away."""
    events = [
        {
            "event_id": f"{day}-{customer}", "customer_id": f"c{customer}", "account_id": "a",
            "occurred_at": UNTIL + (day - 200) * DAY_MS + customer, "amount_minor": -500, "currency": "EUR",
            "type": "purchase", "channel": "online",
        }
        for day in range(200) for customer in range(day % 5, 40, 5)
    ]  # fmt: skip
    found = train(read_lines([orjson.dumps(event) for event in events]), UNTIL, HORIZON)
    assert found.model.blend[1:] == [1.0, 0.0, 0.0]
    assert found.model.training.silent_share == 0
    assert Scorer(found.model).scores(found.last.inputs).max() < 0.05


def test_a_longer_horizon_is_carried_by_what_the_purchase_models_say_of_the_alive() -> None:
    """With r + x = 1 and alpha + T = 30 the alive come in 30 days with 1 - 30/60, in 90 days with 1 - 30/120."""
    inputs = np.full((1, len(NAMES)), np.nan)
    inputs[0, [NAMES.index("repeat_days"), NAMES.index("first_to_last_days"), NAMES.index("age_days")]] = 0, 0, 20
    inputs[0, NAMES.index("recency_days")] = 20
    purchase = PurchaseModel(1.0, 10.0, 1.0, 1.0, False)
    for learned, expected in ((0.75, 0.625), (0.25, 0.125)):  # alive by a half: 1 - 0.5 x 0.75; more than alive
        model = by_hand(float(np.log(learned / (1 - learned))), 0.0)
        training = msgspec.structs.replace(model.training, horizons_days=[10, 30])
        model = msgspec.structs.replace(
            model, horizon_days=90, training=training, bg_nbd=purchase, mbg_nbd=msgspec.structs.replace(purchase)
        )
        assert Scorer(model).scores(inputs)[0] == pytest.approx(expected)
        why = Scorer(model).explained(inputs[0])
        assert why.score == pytest.approx(expected)
        assert why.moved_by["purchase_model"] == pytest.approx(why.logit - why.base)
        for carry in (0.0, 0.5):  # of the way, in log odds
            found = Scorer(msgspec.structs.replace(model, carry=carry)).logits(inputs)[0]
            assert found == pytest.approx((1 - carry) * logit(learned) + carry * logit(expected))


@pytest.mark.parametrize(("spread", "ends", "least", "most"), [(1.0, 0.1, 0.0, 0.25), (60.0, 0.02, 0.75, 1.0)])
def test_the_history_says_how_far_the_purchase_models_are_followed(
    spread: float, ends: float, least: float, most: float
) -> None:
    """Who pays every 30 days and has not for 40 is gone, and as gone after 80; who buys now and then may come yet."""
    chance = np.random.default_rng(3)
    events = []
    for customer in range(500):
        at = chance.uniform(0, 60)
        while at < 180:
            events.append((at, customer))
            if chance.random() < ends:
                break
            at += max(30 + spread * chance.standard_normal(), 1) if spread < 30 else chance.exponential(spread)
    lines = [
        orjson.dumps(
            {
                "event_id": f"{place}", "customer_id": f"c{customer}", "account_id": "a", "type": "purchase",
                "occurred_at": UNTIL + int((at - 180) * DAY_MS), "amount_minor": -500, "currency": "EUR",
                "channel": "online",
            }
        )
        for place, (at, customer) in enumerate(sorted(events))
    ]  # fmt: skip
    model = train(read_lines(lines), UNTIL, 170).model
    assert model.training.carried
    assert least <= model.carry <= most


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "has format 99"),
        ({"name": "../x"}, "name and a version"),
        ({"blend": [0.0, 1.0]}, "must blend 3 members"),
    ],
)
def test_a_file_that_is_no_model_is_refused(trained: Trained, change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(msgspec.json.encode(msgspec.structs.replace(trained.model, **change)))
    with pytest.raises(ModelError, match="is not a churn model"):
        loads(b"{}")


def test_drift_is_zero_against_itself_and_large_for_others(trained: Trained) -> None:
    inputs = trained.last.inputs[asked_about(trained.last.inputs, HORIZON)]
    for then in trained.model.reference[1:]:
        assert psi(then, inputs[:, NAMES.index(then.name)]) < 1e-9
    score = trained.model.reference[0]
    assert score.name == "score"
    assert psi(score, sigmoid(np.full(100, 9.0))) > 1
    half = reference("x", np.array([0.0] * 50 + [1.0] * 50))
    assert psi(half, np.array([0.0] * 25 + [1.0] * 75)) == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5))


def test_a_bank_that_goes_on_as_it_was_has_not_drifted_a_month_later(trained: Trained, history: History) -> None:
    later = snapshots(history, [UNTIL + 30 * DAY_MS], lambda events: None)[0].inputs
    later = later[asked_about(later, HORIZON)]
    scores = Scorer(trained.model).scores(later)
    found = {
        then.name: psi(then, scores if then.name == "score" else later[:, NAMES.index(then.name)])
        for then in trained.model.reference
    }
    assert not {name: index for name, index in found.items() if index >= 0.25}


def test_the_training_summary_says_until_when_and_from_what(trained: Trained, history: History) -> None:
    summary: ChurnModel = trained.model
    assert summary.training.until == rfc3339(UNTIL)
    assert summary.training.events == len(history.until(UNTIL))
    assert summary.training.customers == len(trained.last.customer)
    assert summary.training.horizons_days == [HORIZON]


def test_whether_a_score_reaches_a_level_is_known_as_exactly_without_the_trees_as_with_them(trained: Trained) -> None:
    inputs, weights = trained.last.inputs, weights_of(trained.model)
    turned = weights._replace(blend=weights.blend * [1.0, 1.0, 1.0, -1.0])  # then the least of the leaves counts
    for given in (weights, turned, weights._replace(learned=15.0, carry=0.5)):
        room, logits = new_columns(), np.empty(len(inputs))
        score_rows(inputs, given, room, logits)
        for level in (logit(0.2), logit(0.7), float(logits[0]), float(np.median(logits)), float(logits.max())):
            assert [reach(row, given, room, level) for row in inputs] == (logits >= level).tolist()
