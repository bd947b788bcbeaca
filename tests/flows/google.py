"""Google on loopback, for the tests: a token endpoint that checks signed statements, and Sheets' values:batchGet."""

from __future__ import annotations

import json
import re
import time
from functools import cache

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flows.connectors.sources.google_sheets import GoogleSheetsSettings
from tests.flows.servers import json_answer

EMAIL = "reader@project.iam.example.com"
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"


@cache
def key_pair():
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return private, made.public_key()


def service_account(url, **changed):
    """The JSON file of a key."""
    private, _ = key_pair()
    fields = {
        "type": "service_account",
        "private_key_id": "key-1",
        "private_key": private,
        "client_email": EMAIL,
        "token_uri": f"{url}/token",
    }
    return json.dumps(fields | changed)


class Google:
    """`sheets`: spreadsheet id → sheet → rows. Tokens last `lasts_s`; those in `revoked` are refused."""

    def __init__(self, sheets):
        self.sheets = sheets
        self.tokens = []
        self.revoked = set()
        self.lasts_s = 3599
        self.now = [time.time()]  # its clock
        self.asked = []  # (path, query) of every question to Sheets
        self.answers = []  # given in place of what would be answered, the first one first

    def settings(self, url):
        return GoogleSheetsSettings(base_url=url)

    async def __call__(self, request):
        if request.path == "/token":
            return await self.token(request)
        self.asked.append((request.path, dict(request.query)))
        if self.answers:
            return self.answers.pop(0)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or token in self.revoked:
            return error(401, "UNAUTHENTICATED", f"Request had invalid authentication credentials: {token}")
        found = re.fullmatch(r"/v4/spreadsheets/([^/]+)/values:batchGet", request.path)
        if found is None or found[1] not in self.sheets:
            return error(404, "NOT_FOUND", "Requested entity was not found.")
        if found[1] == "private":
            return error(403, "PERMISSION_DENIED", "The caller does not have permission")
        return self.values(self.sheets[found[1]], request)

    async def token(self, request):
        form = await request.post()
        uri = f"http://{request.host}/token"
        try:
            stated = jwt.decode(
                form["assertion"],
                key_pair()[1],
                algorithms=["RS256"],
                audience=uri,
                options={"require": ["exp", "iat", "iss"], "verify_exp": False, "verify_iat": False},
            )
            if abs(stated["iat"] - self.now[0]) > 300:
                raise jwt.InvalidIssuedAtError("token must be a short-lived token and in a reasonable timeframe")
        except jwt.PyJWTError as problem:
            return json_answer({"error": "invalid_grant", "error_description": f"Invalid JWT: {problem}"}, status=400)
        kid = jwt.get_unverified_header(form["assertion"])["kid"]
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" or kid != "key-1":
            return json_answer({"error": "unsupported_grant_type"}, status=400)
        if (stated["iss"], stated["scope"], stated["exp"] - stated["iat"]) != (EMAIL, SCOPE, 3600):
            return json_answer({"error": "invalid_scope"}, status=400)
        self.tokens.append(f"ya29.token-{len(self.tokens) + 1}")
        return json_answer({"access_token": self.tokens[-1], "expires_in": self.lasts_s, "token_type": "Bearer"})

    def values(self, sheets, request):
        ranges = []
        for asked in request.query.getall("ranges"):
            found = re.fullmatch(r"(?:'((?:[^']|'')+)'|(\w+))?(?:!|\Z)?(?:([A-Z]+)(\d*):([A-Z]+)(\d*))?", asked)
            name = ((found and (found[1] or found[2])) or next(iter(sheets))).replace("''", "'") if found else None
            if name not in sheets:
                return error(400, "INVALID_ARGUMENT", f"Unable to parse range: {asked}")
            rows = sheets[name]
            if found[3]:
                first, last = ord(found[3]) - 65, ord(found[5]) - 64
                rows = [row[first:last] for row in rows[int(found[4] or 1) - 1 : int(found[6] or 10**6)]]
            ranges.append({"range": asked, "majorDimension": "ROWS", **trimmed(rows)})
        return json_answer({"spreadsheetId": "x", "valueRanges": ranges})


def trimmed(rows):
    """As Sheets gives them: empty cells at the end of a row and empty rows at the end are left out, all of it where nothing is there."""
    rows = [list(row) for row in rows]
    for row in rows:
        while row and row[-1] == "":
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    return {"values": rows} if rows else {}


def error(status, name, message):
    return web.json_response({"error": {"code": status, "message": message, "status": name}}, status=status)
