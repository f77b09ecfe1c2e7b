"""A table of shapes in which secrets turn up in logs, and one of text that only looks like them."""

from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest

from jobtail.events import Line
from jobtail.masking import masker as masker_module
from jobtail.masking.masker import Masker

HEX = "0123456789abcdef"
WORD = string.ascii_letters + string.digits


def made(prefix: str, length: int, letters: str = WORD) -> str:
    """Make a token that has an issuer's look and is nobody's."""
    return prefix + "".join(letters[(number * 7 + 3) % len(letters)] for number in range(length))


S = "hunter2-Zx81"
"""The secret of every shape that does not bring its own."""

MUST: list[str] = [
    # names at the end, at the beginning and in the middle
    f"PASS={S}",
    f"DBPASS={S}",
    f"DB_PASS={S}",
    f"PASSWORD_DB={S}",
    f"SECRET_KEY_BASE={S}",
    f"TOKEN_GITHUB={S}",
    f"API_SECRET_V2={S}",
    f"REDIS_PASSWORD_2={S}",
    f'{{"pass": "{S}"}}',
    f'{{"pw": "{S}"}}',
    f'{{"db_pw": "{S}"}}',
    f"smtp_pw={S}",
    f'"auth": "{made("", 24)}"',
    f"//packages.example/:_authToken={S}",
    f"_auth={made('', 24)}=",
    f"password_confirmation={S}",
    f"ENCRYPTION_KEY={S}",
    f"private-key: {S}",
    f"AccountName=store;AccountKey={made('', 86)}==;EndpointSuffix=core.windows.net",
    f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={made('', 43)}=",
    f"?sv=2022-11-02&ss=b&sig={made('', 43)}%3D&se=2030",
    f"X-Amz-Credential=a&X-Amz-Signature={made('', 64, HEX)}",
    f"X-Amz-Security-Token={made('', 100)}",
    f"passphrase = {S}",
    # placeholders that are none
    "password={hunter2-Zx81}",
    "password=<hunter2-Zx81>",
    "password=[hunter2-Zx81]",
    "password=:hunter2-Zx81",
    "password=$hunter2-Zx81",
    "password=xxxxhunter2-Zx81",
    # options and their values
    f"mysqldump --password {S} shop",
    f"+ true --password {S}",
    f"deploy --token {S} --env prod",
    f"deploy --api-key '{S}'",
    f'deploy --db-password "{S}" --dry-run',
    f"java -password {S} -jar x.jar",
    f"tool --client-secret {S}",
    f"tool --auth-token={S}",
    f"curl -u admin:{S} https://example.org/",
    f"curl -sS -u 'admin:{S}' https://example.org/",
    f"curl --user admin:{S} https://example.org/",
    f"curl --proxy-user admin:{S} https://example.org/",
    f"['mysqldump', '--password', '{S}', 'shop']",
    f'["deploy", "--api-key", "{S}"]',
    f'{{"args": ["--token", "{S}"]}}',
    # colours
    f"\x1b[36mpassword\x1b[0m=\x1b[35m{S}\x1b[0m",
    f"\x1b[1mtoken\x1b[0m: {S}",
    f"\x1b[2mAuthorization\x1b[0m: \x1b[32mBearer {made('', 30)}\x1b[0m",
    f'"\x1b[34;1mapi_key\x1b[0m": \x1b[32m"{S}"\x1b[0m',
    # lists and records of names and values
    f'{{"name": "Authorization", "value": "Bearer {S}"}}',
    f'{{"name":"DB_PASSWORD","value":"{S}"}}',
    f'{{"value": "{S}", "name": "DB_PASSWORD"}}',
    f'[{{"key": "api_key", "value": "{S}"}}]',
    f'["x-api-key", "{S}"]',
    f"[('authorization', 'Bearer {S}'), ('accept', '*/*')]",
    f'[["cookie", "session={S}"]]',
    f"(b'authorization', b'Bearer {S}')",
    # XML, SQL, YAML, netrc, containers
    f"<password>{S}</password>",
    f'<wsse:Password Type="PasswordText">{S}</wsse:Password>',
    f"<ApiKey>{S}</ApiKey>",
    f"<password><![CDATA[{S}]]></password>",
    f'{{"key": "password", "type": "string", "value": "{S}"}}',
    f"set -gx API_KEY {S}",
    f"ENV API_TOKEN {S}",
    f"$env:API_KEY = '{S}'",
    f":password => '{S}'",
    f"-Dspring.datasource.password={S}",
    f"jdbc:postgresql://h/db?user=a&password={S}",
    f"psql /password:{S}",
    f'<add key="ApiKey" value="{S}"/>',
    f'<property name="password" value="{S}"/>',
    f'<connection user="app" password="{S}"/>',
    f"CREATE USER app WITH PASSWORD '{S}'",
    f"ALTER ROLE app ENCRYPTED PASSWORD '{S}';",
    f"CREATE USER 'app'@'%' IDENTIFIED BY '{S}'",
    f"ALTER USER app IDENTIFIED WITH mysql_native_password BY '{S}'",
    f"SET PASSWORD FOR app = PASSWORD('{S}')",
    f"CREATE LOGIN app WITH PASSWORD = N'{S}'",
    f"machine api.example.org login app password {S}",
    f"db:\n  password: {S}\n  host: db",
    f"secret: |\n  {S}\n  {S}\nhost: db",
    f"env:\n  - name: DB_PASSWORD\n    value: {S}",
    f'{{"auths": {{"ghcr.io": {{"auth": "{made("", 32)}"}}}}}}',
    f"users:\n- user:\n    client-key-data: {made('', 80)}==",
    f"environment:\n  - POSTGRES_PASSWORD={S}",
    f"docker run -e MYSQL_ROOT_PASSWORD={S} mysql",
    f"ENV API_TOKEN={S}",
    # addresses
    f"https://{made('', 40, HEX)}@sentry.example.org/5",
    f"https://x-access-token:{S}@github.com/o/r.git",
    f"amqp://guest:{S}@mq:5672/",
    f"https://hooks.slack.com/services/T00000000/B00000000/{made('', 24)}",
    f"https://discord.com/api/webhooks/123456789012345678/{made('', 68)}",
    f"https://api.telegram.org/bot123456789:AA{made('', 33)}/getMe",
    # headers
    f"Proxy-Authorization: Basic {made('', 20)}",
    f"X-Auth-Token: {S}",
    f"x-api-key: {S}",
    f"Cookie: session={S}; theme=dark",
    # tokens by their issuers
    made("jt_", 43),
    made("ghp_", 36),
    made("gho_", 36),
    made("ghs_", 36),
    made("github_pat_", 82),
    made("glpat-", 20),
    made("glcbt-1_", 20),
    made("gldt-", 20),
    made("glrt-", 20),
    made("npm_", 36),
    "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    made("pypi-AgEIcHlwaS5vcmc", 100),
    made("hf_", 34),
    made("SG." + made("", 22) + ".", 43),
    made("dop_v1_", 64, HEX),
    made("shpat_", 32, HEX),
    made("dapi", 32, HEX),
    made("hvs.", 40),
    made("xoxb-123456789012-123456789012-", 24),
    made("xapp-1-A0123456789-", 40),
    made("sk_live_", 24),
    made("rk_live_", 24),
    made("whsec_", 32),
    made("sk-proj-", 48),
    made("sk-ant-api03-", 93),
    made("AIza", 35),
    made("ya29.", 60),
    made("GOCSPX-", 28),
    made("SK", 32, HEX),
    made("key-", 32, HEX),
    "AKIA" + made("", 16, string.ascii_uppercase + string.digits),
    "ASIA" + made("", 16, string.ascii_uppercase + string.digits),
    "123456789:AA" + made("", 33),
    made("dckr_pat_", 27),
    made("glsa_", 41),
    made("lin_api_", 40),
    made("sq0csp-", 43),
    made("sntrys_", 60),
    made("xkeysib-", 64, HEX),
    made("figd_", 40),
    made("pscale_pw_", 43),
    f"eyJ{made('', 20)}.eyJ{made('', 40)}.{made('', 43)}",
]

MUST_NOT: list[str] = [
    "storage_key=path/of/object",
    "storage_key: uploads/2024/report.pdf",
    "next_page_token=CAUQAA",
    '{"nextToken": "AAAA1234bcd"}',
    '{"nextPageToken":"CAoQAA"}',
    "account_key: acct_42",
    "signing_key: kid-7",
    "credentials=3",
    "    if token == expected_token:",
    "task-sk-0123456789abcdef0123",
    "PASS: test_login (0.3 s)",
    "pass: all 12 checks",
    "PASS=12 FAIL=0",
    "12 passed, 3 failed, bypass: yes, two-pass=true",
    "auth: required, auth=basic, author: Bob, authority: x",
    "oauth=ok authenticated=true",
    "token_type: bearer",
    "token_count=512 max_tokens: 4096",
    "token_endpoint=https://login.example.org/token",
    "password_hint: the dog",
    "secret_name: prod/db",
    "secretName: db-credentials",
    "password_reset_at=2026-11-30T10:00:00Z",
    "api_key_id=42ab",
    "private_key: /etc/ssl/private/server.pem",
    "key: value, primary_key=id, foreign_key: job_id",
    "cache_key=jobs:1:lines sort_key=name partition_key=2026",
    "usage: deploy [--token TOKEN] [--password PASSWORD]",
    "use --password to set one; the --token option is required",
    "--no-password was given, --password-file /run/secrets/db",
    "docker build --secret id=npm,src=.npmrc .",
    "fields: ['username', 'password', 'email']",
    '["password", "email"]',
    "('token', 'secret')",
    '{"name": "stage", "value": "load"}',
    '{"name": "token_count", "value": "512"}',
    "<title>Forgotten your password?</title>",
    "<tokens>5</tokens><passed>true</passed>",
    "SELECT password FROM users WHERE name = 'bob'",
    "job 8f14e45f-ceea-467f-a7b6-0123456789ab done",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "sha256:" + HEX * 4,
    "https://example.org/a_very_long_path_of_words/and-another-one-of-words",
    "git@github.com:owner/repository.git, ssh://git@host/x, https://bob@example.org/",
    "a_function_with_a_long_name_in_it(x) in some-package-with-a-long-name",
    "s3://bucket/key=2026-11-30/part-00000-0a1b2c3d.snappy.parquet",
    "TASK: RISK of DISK being full",
    "password=%(password)s token=${TOKEN} secret={{ vault.secret }} pwd=<PASSWORD>",
    "password: [REDACTED] token=<redacted> secret=******",
    "\x1b[36mtoken_count\x1b[0m=\x1b[35m512\x1b[0m",
    "signature=valid sig: ok design=flat",
    "TypeError: connect() missing 1 required keyword-only argument: 'password'",
    "cookie: accepted, cookies are enabled",
    "identified by its id, identified 'bob' by sight",
    "login bob password reset",
    "name: password, value: required",
    "set the token limit to 5, export secrets to vault",
    "idempotency_key=8f14 routing_key=jobs.high public_key: abc",
    "deploy --token-limit 5 --auth-type basic --tokenizer bert",
]


def test_the_tables_are_long_enough() -> None:
    assert len(set(MUST)) >= 100
    assert len(set(MUST_NOT)) >= 40


@pytest.mark.parametrize("text", MUST)
def test_a_secret_is_masked_in_whatever_shape_it_comes(text: str) -> None:
    masker = Masker()
    said = masker.mask(text)
    assert "***" in said
    assert S not in said
    assert not re.search(
        r"[A-Za-z0-9+]{20,}", re.sub(r"[A-Za-z0-9._-]+\.(?:org|com|net)", "", said).replace("EndpointSuffix", "")
    )
    assert masker.mask(said) == said, "what is masked stays as it is"
    around = f"before it {text} and behind"
    assert masker.mask(around).endswith("and behind") or "\n" in text or "Cookie" in text


@pytest.mark.parametrize("text", MUST_NOT)
def test_useful_text_is_not_destroyed(text: str) -> None:
    assert Masker().mask(text) == text


def masked_with(secret: str, text: str) -> tuple[str, int]:
    masker = Masker()
    masker.add(secret)
    return masker.mask(text), masker.count


@pytest.mark.parametrize("window", [1, 7, 64, 1 << 20])
def test_a_long_text_is_masked_window_by_window_as_if_at_once(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(masker_module, "WINDOW", window)
    text = "\n".join([*MUST, *MUST_NOT])
    in_windows = masked_with(S, text)
    monkeypatch.undo()
    assert in_windows == masked_with(S, text)
    assert S not in in_windows[0]


def test_a_block_of_yaml_is_masked_as_far_as_it_goes() -> None:
    text = "db:\n  password: >-\n    hunter2\n    more of it\n  host: db\n"
    assert Masker().mask(text) == "db:\n  password: >-\n***  host: db\n"


METADATA: list[tuple[Any, Any]] = [
    ({"command": ["mysqldump", "--password", S, "shop"]}, {"command": ["mysqldump", "--password", "***", "shop"]}),
    ({"command": ["deploy", "--token", S, "--dry-run"]}, {"command": ["deploy", "--token", "***", "--dry-run"]}),
    ({"command": ["deploy", "--password", "--dry-run"]}, {"command": ["deploy", "--password", "--dry-run"]}),
    ({"argv": ["sh", "-c", f"login --password {S}"]}, {"argv": ["sh", "-c", "login --password ***"]}),
    ({"argv": ["curl", "-u", f"bob:{S}", "x"]}, {"argv": ["curl", "-u", "bob:***", "x"]}),
    ({"argv": ["/usr/bin/sshpass", "-p", S, "ssh", "h"]}, {"argv": ["/usr/bin/sshpass", "-p", "***", "ssh", "h"]}),
    ({"argv": ["docker", "login", "-u", "bob", "-p", S]}, {"argv": ["docker", "login", "-u", "bob", "-p", "***"]}),
    ({"argv": ["mysql", f"-p{S}", "shop"]}, {"argv": ["mysql", "-p***", "shop"]}),
    ({"argv": ["server", "-p", "8080"]}, {"argv": ["server", "-p", "8080"]}),
    ({"headers": [["x-api-key", S], ["accept", "a/b"]]}, {"headers": [["x-api-key", "***"], ["accept", "a/b"]]}),
    (
        {"env": [{"name": "DB_PASSWORD", "value": S}, {"name": "STAGE", "value": "load"}]},
        {"env": [{"name": "DB_PASSWORD", "value": "***"}, {"name": "STAGE", "value": "load"}]},
    ),
    ({"header": {"Name": "Authorization", "Value": S}}, {"header": {"Name": "Authorization", "Value": "***"}}),
    ({"columns": ["password", "email"], "rows": 3}, {"columns": ["password", "email"], "rows": 3}),
    ({"PASSWORD_DB": S, "token_type": "jwt"}, {"PASSWORD_DB": "***", "token_type": "jwt"}),
    ({"storage_key": "a/b", "nextToken": "abc"}, {"storage_key": "a/b", "nextToken": "abc"}),
    ({"pass": S, "passed": 3, "auth": "basic"}, {"pass": "***", "passed": 3, "auth": "basic"}),
]


@pytest.mark.parametrize(("metadata", "expected"), METADATA, ids=lambda value: json.dumps(value)[:40])
def test_metadata_is_masked_by_its_names_its_options_and_its_pairs(metadata: Any, expected: Any) -> None:
    masked = Masker().event(Line(job_id="J", message="m", metadata=metadata))
    assert isinstance(masked, Line)
    assert masked.metadata == expected


STREAM = [
    ("env:", "env:"),
    ("  - name: DB_PASSWORD", "  - name: DB_PASSWORD"),
    (f"    value: {S}", "    value: ***"),
    ("  - name: STAGE", "  - name: STAGE"),
    ("    value: load", "    value: load"),
    ("secret: |", "secret: |"),
    ("  first line of it", "  ***"),
    ("", ""),
    ("  second", "  ***"),
    ("host: db", "host: db"),
]


def test_settings_that_come_line_by_line_are_masked_as_well() -> None:
    stream = Masker().stream()
    assert [stream.mask(line) for line, _ in STREAM] == [masked for _, masked in STREAM]
