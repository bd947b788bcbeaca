"""The configuration: what is stronger, what is refused, and where it says the mistake stands."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from daemon.config import (
    CONNECTOR_SECTIONS,
    SOURCE_SECTIONS,
    STEP_SECTIONS,
    Address,
    hidden,
    read_address,
    read_config,
    read_section,
)
from daemon.errors import HomeError
from daemon.kinds import configured_kinds
from flows.connectors.settings import SETTINGS as CONNECTORS
from flows.errors import DefinitionError
from flows.steps import SETTINGS_OF, STEP_KINDS
from triggers.sources import SOURCES


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import os

    for name in os.environ:
        if name.startswith("CAMSHAFT_"):
            monkeypatch.delenv(name)
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / "camshaft.toml").write_text(text, encoding="utf-8")


def refusal(home: Path, flags: dict | None = None) -> list[str]:
    with pytest.raises(DefinitionError) as refused:
        read_config(home, flags)
    return [str(problem).removeprefix(f"{home}/") for problem in refused.value.problems]


def test_a_home_without_a_file_has_the_defaults(home):
    config = read_config(home)

    assert (str(config.http.listen), config.http.admin) == ("127.0.0.1:8700", None)
    assert (config.database, config.store.synchronous) == (home / "state/camshaft.db", "full")
    assert (config.worker.concurrency, config.worker.drain_s, config.timezone) == (10, 30.0, "UTC")


def test_flags_are_stronger_than_the_environment_and_that_is_stronger_than_the_file(home, monkeypatch):
    write(home, "[worker]\nconcurrency = 1\ndrain_s = 1\n[http]\nlisten = '127.0.0.1:1'\n")
    monkeypatch.setenv("CAMSHAFT_WORKER__CONCURRENCY", "2")
    monkeypatch.setenv("CAMSHAFT_WORKER__DRAIN_S", "2")

    config = read_config(home, {"worker": {"concurrency": 3}})

    assert (config.worker.concurrency, config.worker.drain_s, config.http.listen.port) == (3, 2.0, 1)


def test_addresses_stand_in_the_environment_as_they_are_written(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_HTTP__LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("CAMSHAFT_HTTP__ADMIN", "[::1]:3")

    config = read_config(home)

    assert (config.http.listen, config.http.admin) == (("127.0.0.1", 2), ("::1", 3))


def test_the_home_given_is_stronger_than_the_one_in_the_environment(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_HOME", "/nowhere")

    assert read_config(home).home == home


def test_parts_have_sections_in_the_environment_too(home, monkeypatch):
    write(home, "[sources.webhook]\na = 1\n")
    monkeypatch.setenv("CAMSHAFT_SOURCES__WEBHOOK__MAX_BODY_BYTES", "5")

    assert read_config(home).sources == {"webhook": {"a": 1, "max_body_bytes": "5"}}


def test_allowed_names_are_a_list_or_text_with_commas(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_ENV__ALLOW", "ONE, TWO")
    monkeypatch.setenv("ONE", "1")

    config = read_config(home)

    assert config.env.allow == ("ONE", "TWO")
    assert config.env_values == {"ONE": "1"}


def test_a_limit_is_switched_off_by_name(home):
    write(home, "[retention]\nage_days = 'none'\nrows = 'none'\n")

    retention = read_config(home).retention

    assert (retention.age_days, retention.rows) == (None, None)


def test_nothing_in_it_changes(home):
    config = read_config(home)

    with pytest.raises(ValueError, match="frozen"):
        config.worker.concurrency = 5  # type: ignore[misc]


NO_URL = "camshaft.toml:2 http.public_url: an address that others reach us at begins with http:// or https://, and has no query"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nlisen = 'a'\n", "camshaft.toml:2 http.lisen: lisen is not known here (did you mean «listen»?)"),
        ("[htp]\nlisten = 'a'\n", "camshaft.toml:1 htp: htp is not known here (did you mean «http»?)"),
        ("\n[worker]\nconcurrency = 0\n", "camshaft.toml:3 worker.concurrency: concurrency is 0, and must be at least 1"),
        ("[store]\npath = 7\n", "camshaft.toml:2 store.path: path is 7, and must be text"),
        (
            "[http]\npublic_url = 'hooks.example.com'\n",
            NO_URL,
        ),
        ("[http]\npublic_url = 'https://'\n", NO_URL),
        ("[http]\npublic_url = 'https://[x/'\n", NO_URL),
        ("[worker]\ndrain_s = 'soon'\n", "camshaft.toml:2 worker.drain_s: drain_s is «soon», and must be a number"),
        ("[worker]\nconcurrency = true\n", "camshaft.toml:2 worker.concurrency: concurrency is true, and must be a number"),
        ("[worker]\ndrain_s = true\n", "camshaft.toml:2 worker.drain_s: drain_s is true, and must be a number"),
        (
            "[sources.webhok]\na = 1\n",
            "camshaft.toml:1 sources.webhok: there is no section «sources.webhok» (did you mean «webhook»?)",
        ),
        ("steps.bsh.a = 1\n", "camshaft.toml:1 steps.bsh: there is no section «steps.bsh» (did you mean «bash»?)"),
        ("[worker\n", "camshaft.toml:1:8: it is not TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_was_meant(home, text, said):
    write(home, text)

    assert refusal(home) == [said]


def test_all_mistakes_are_told_at_once(home):
    write(home, "[http]\nlisten = 'x'\n[worker]\nconcurrency = 0\n")

    assert len(refusal(home)) == 2


def test_a_mistake_in_the_environment_is_told_with_the_variable(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_WORKER__CONCURRENCY", "many")

    assert refusal(home) == ["environment CAMSHAFT_WORKER__CONCURRENCY: concurrency is «many», and must be a whole number"]


def test_a_variable_that_would_set_nothing_is_refused(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_WORKR__CONCURRENCY", "1")

    assert refusal(home) == ["environment CAMSHAFT_WORKR__CONCURRENCY: there is no section «workr» (did you mean «worker»?)"]


def test_an_unknown_zone_is_refused_with_the_one_that_was_meant(home):
    write(home, "[schedule]\ntimezone = 'Europe/Berln'\n")

    (said,) = refusal(home)

    assert "Europe/Berlin" in said


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """put(name, text): a file where systemd would have put it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    def put(name, text):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    return put


@pytest.mark.parametrize("name", ["CAMSHAFT_WORKER__CONCURRENCY", "camshaft_worker__concurrency", "Camshaft_Worker__Concurrency"])
def test_a_credential_that_is_named_like_a_variable_is_a_setting(home, credentials, name):
    credentials(name, "99\n")

    assert read_config(home).worker.concurrency == 99


def test_other_credentials_are_secrets_and_no_settings(home, credentials):
    credentials("worker__concurrency", "99")
    credentials("CAMSHAFT_TOKEN", "secret")
    credentials("camshaft_home", "/nowhere")
    credentials("http", b"\xff")

    assert read_config(home).worker.concurrency == 10


def test_each_place_is_stronger_than_the_one_before(home, credentials, monkeypatch):
    write(home, "[worker]\nconcurrency = 1\ndrain_s = 1\n[log]\nlevel = 'debug'\nformat = 'json'\n")
    for name, text in (("WORKER__CONCURRENCY", "2"), ("WORKER__DRAIN_S", "3"), ("LOG__FORMAT", "console")):
        credentials(f"CAMSHAFT_{name}", text)
    monkeypatch.setenv("CAMSHAFT_WORKER__DRAIN_S", "4")

    config = read_config(home, {"worker": {"concurrency": 5}})

    assert (config.log.level, config.log.format, config.worker.drain_s, config.worker.concurrency) == ("debug", "console", 4.0, 5)
    assert [str(config.layers.origin(path)) for path in (("log", "level"), ("log", "format"), ("worker", "drain_s"))] == [
        "camshaft.toml:5",
        "credential CAMSHAFT_LOG__FORMAT",
        "environment CAMSHAFT_WORKER__DRAIN_S",
    ]
    assert [str(config.layers.origin(path)) for path in (("worker", "concurrency"), ("http", "listen"))] == ["flag", "default"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("CAMSHAFT_WORKR__CONCURRENCY", "1", "credential CAMSHAFT_WORKR__CONCURRENCY: there is no section «workr» (did you mean «worker»?)"),
        ("camshaft_worker__concurency", "1", "credential camshaft_worker__concurency: concurency is not known here (did you mean «concurrency»?)"),
        ("camshaft_worker__concurrency", "x", "credential camshaft_worker__concurrency: concurrency is «x», and must be a whole number"),
        ("camshaft_steps__bsh__shell", "x", "credential camshaft_steps__bsh__shell: there is no section «steps.bsh» (did you mean «bash»?)"),
        ("camshaft_worker__concurrency", b"\xff", "credential camshaft_worker__concurrency: it is not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_credential_that_would_set_nothing_is_refused_by_its_name(home, credentials, name, text, said):
    credentials(name, text)

    assert refusal(home) == [said]


def test_a_credentials_folder_that_cannot_be_read_is_named(home, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home / "none"))

    with pytest.raises(HomeError, match="none"):
        read_config(home)


def test_one_underscore_too_few_is_told_with_the_name_that_was_meant(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_HTTP_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("CAMSHAFT_WEBHOOK_SECRET", "somebody's own")

    assert refusal(home) == ["environment CAMSHAFT_HTTP_LISTEN: it sets nothing (did you mean «CAMSHAFT_HTTP__LISTEN»?)"]


def test_a_list_or_a_section_stands_in_a_variable_as_json(home, monkeypatch):
    monkeypatch.setenv("CAMSHAFT_ENV__ALLOW", '["ONE", "TWO"]')
    monkeypatch.setenv("CAMSHAFT_STEPS__FILE_READ__ROOTS", '["/srv"]')
    monkeypatch.setenv("CAMSHAFT_HTTP__LISTEN", "[::1]:5")

    config = read_config(home)

    assert config.env.allow == ("ONE", "TWO")
    assert config.steps["file_read"] == {"roots": ["/srv"]}
    assert str(config.http.listen) == "[::1]:5"


def test_a_home_in_its_own_file_is_refused(home):
    write(home, "home = '/nowhere'\n")

    assert refusal(home) == ["camshaft.toml:1 home: the home is not set in its own file (--home DIR, or CAMSHAFT_HOME)"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://camshaft:s3cr%40t@db:5432/x", "postgresql://camshaft:***@db:5432/x"),
        ("postgresql://db/x?user=a&password=s3cret&sslmode=require", "postgresql://db/x?user=a&password=***&sslmode=require"),
        ("url is «postgres://a:b@c/d», and must not be", "url is «postgres://a:***@c/d», and must not be"),
        ("https://hooks.example.com/a@b:c", "https://hooks.example.com/a@b:c"),
        ("postgresql://camshaft@db/x", "postgresql://camshaft@db/x"),
    ],
)
def test_passwords_in_addresses_are_never_shown(text, shown):
    assert hidden(text) == shown


def test_a_home_that_is_not_there_is_refused_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(HomeError, match="camshaft init"):
        read_config(tmp_path / "none")


def test_a_file_that_is_no_text_is_refused(home):
    (home / "camshaft.toml").write_bytes(b"\xff\xfe")

    assert refusal(home) == ["camshaft.toml: it is not UTF-8 text (save it as UTF-8)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("[::1]:80", Address("::1", 80)),
        (":80", Address("0.0.0.0", 80)),
        ("80", Address("127.0.0.1", 80)),
        (80, Address("127.0.0.1", 80)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_an_address_is_read(text, expected):
    assert read_address(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a:", "a:b", "::1:80", "a:65536", "a:-1", "a:٣", True, None, 1.5])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        read_address(text)


def test_a_slash_at_the_end_of_the_public_address_is_not_doubled_in_links(home):
    (home / "camshaft.toml").write_text('[http]\npublic_url = "https://me:pw@hooks.example.com/camshaft/"\n')

    assert read_config(home).http.public_url == "https://me:pw@hooks.example.com/camshaft"


def test_addresses_are_written_as_they_are_read():
    assert [str(read_address(text)) for text in ("[::1]:80", "1.2.3.4:5")] == ["[::1]:80", "1.2.3.4:5"]


def test_a_part_checks_its_own_section_at_its_line(home):
    class Settings(BaseModel):
        model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
        max_body_bytes: int = 1
        most_s: float | None = None
        open: bool = False

    write(home, "[sources.webhook]\nmax_body_bytes = 'x'\nmax_bdy_bytes = 1\nmost_s = true\nopen = true\n")
    config = read_config(home)

    with pytest.raises(DefinitionError) as refused:
        read_section(Settings, config, "sources", "webhook")

    assert [(problem.line, problem.path) for problem in refused.value.problems] == [
        (2, ("sources", "webhook", "max_body_bytes")),
        (3, ("sources", "webhook", "max_bdy_bytes")),
        (4, ("sources", "webhook", "most_s")),
    ]


def test_the_sections_of_parts_are_those_of_the_parts_there_are():
    assert set(SOURCE_SECTIONS) == {name.replace("-", "_") for name in SOURCES}
    assert set(STEP_SECTIONS) == {name.replace("-", "_") for name in STEP_KINDS.keys() - SETTINGS_OF.keys()}
    assert set(CONNECTOR_SECTIONS) == set(CONNECTORS)


def test_kinds_of_steps_get_their_sections(home):
    write(home, "[steps.bash]\nshell = 'sh'\n")

    kinds = configured_kinds(read_config(home))

    assert kinds["bash"].settings.shell == "sh"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("[sources.webhook]\nmax_body_byte = 5", "max_body_byte"),
        ("[sources.file_watch]\nsettle_s = -1", "settle_s"),
        ('[sources.webhook]\nlisten = "127.0.0.1:1"', "[http] listen"),
        ('[sources.schedule]\ntimezone = "UTC"', "[schedule] timezone"),
    ],
)
def test_the_section_of_a_source_is_checked_before_any_trigger_uses_it(tmp_path, section, said):
    from daemon.kinds import configured_kinds

    (tmp_path / "camshaft.toml").write_text(section + "\n")

    with pytest.raises(DefinitionError) as refused:
        configured_kinds(read_config(tmp_path))

    assert said in str(refused.value)


def test_every_section_that_is_wrong_is_told_at_once(tmp_path):
    from daemon.kinds import configured_kinds

    (tmp_path / "camshaft.toml").write_text("[sources.webhook]\nmax_depth = -1\n[steps.bash]\ngrace_s = -1\n")

    with pytest.raises(DefinitionError) as refused:
        configured_kinds(read_config(tmp_path))

    assert {problem.path[:2] for problem in refused.value.problems} == {("sources", "webhook"), ("steps", "bash")}
