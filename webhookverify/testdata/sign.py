"""Reads {"secret","body","signature"} in base64, a line each, and writes the
signature that python makes and whether the given one is the same."""
import base64
import hashlib
import hmac
import json
import sys

for line in sys.stdin:
    secret, body, signature = (base64.b64decode(json.loads(line)[name]) for name in ("secret", "body", "signature"))
    ours = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    print(ours, str(hmac.compare_digest(ours.encode(), signature)).lower())
