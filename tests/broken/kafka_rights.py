"""Mistakes about rights in Kafka, and about what is said of those that are missing."""

from tests.broken.mistake import Mistake

_RIGHTS = "tests/secured/test_kafka_rights.py"
_PAGE = f"{_RIGHTS}::test_the_pages_table_and_its_commands_give_what_the_program_needs"
_RUNNING = f"{_RIGHTS}::test_a_running_worker_says_what_is_taken_from_it_and_goes_on_when_it_has_it_back"

MISTAKES = (
    Mistake(
        "reading-back-not-asked-for",
        "That the outbound topics may not be read is learnt only after the store has gone back.",
        "streams/broker/rights.py",
        "for topic in (*outbound, settings.topic_offers, offers_changelog(settings))]\n    return",
        "for topic in (settings.topic_offers, offers_changelog(settings))]\n    return",
        _PAGE,
    ),
    Mistake(
        "rights-not-looked-at",
        "A worker starts without the rights that it needs.",
        "streams/broker/preflight.py",
        "        self._rights.require(self._needed_rights)\n        wrong",
        "        wrong",
        f"{_RIGHTS}::test_a_worker_waits_at_its_start_and_names_each_right_that_is_missing",
        servers=True,
    ),
    Mistake(
        "rights-not-watched",
        "A right that is taken from a running worker is named nowhere.",
        "streams/worker/app.py",
        '        Thread(target=self._preflight.watch_rights, name="rights", daemon=True).start()\n',
        "",
        _RUNNING,
        servers=True,
    ),
    Mistake(
        "offers-not-kept",
        "An offer that the changelog did not take counts as read.",
        "streams/worker/offer_table.py",
        "                await sent\n",
        "                pass\n",
        _RUNNING,
        servers=True,
    ),
    Mistake(
        "transactional-id-not-named",
        "A worker that may not publish says in librdkafka's words what is wrong, and not to whom.",
        "streams/broker/publisher.py",
        "explained(self._settings, error)",
        "str(error)",
        _RUNNING,
        servers=True,
    ),
    Mistake(
        "commands-name-no-right",
        "A command fails in the middle for the lack of a right.",
        "commands/rights.py",
        "        Rights(settings).require(needed)\n",
        "        Rights(settings)\n",
        f"{_RIGHTS}::test_a_command_names_each_right_that_is_missing[tracker offers]",
        servers=True,
    ),
    Mistake(
        "brokers-are-up-after-all",
        "Of a wrong password a command says that the brokers may be down.",
        "streams/broker/rights.py",
        "                if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):\n",
        "                if error.code() == KafkaError._SSL:\n",
        "tests/secured/test_mutual_tls.py::test_a_wrong_password_is_named_as_what_it_is",
        servers=True,
    ),
)
