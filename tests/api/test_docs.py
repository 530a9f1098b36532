"""The document and its page: complete, valid, and of this house alone."""

import re

from openapi_spec_validator import OpenAPIV31SpecValidator

from api.docs.pages import POLICY
from tests.api.conftest import BASE, Api

#: What needs no token: links that are signed themselves.
OPEN = {"getPublicMedia"}


def test_the_document_is_valid_openapi_3_1(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_of_the_api_is_in_the_document(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in api.app.url_map.iter_rules()
        if rule.rule.startswith(BASE)
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert described == served


def test_every_operation_is_described_and_guarded(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    names = set()
    for operations in document["paths"].values():
        for method in set(operations) - {"parameters"}:
            operation = operations[method]
            assert operation["summary"].endswith(".")
            assert {"429", "503"} <= set(operation["responses"])
            if operation["operationId"] in OPEN:
                assert (operation["security"], "401" in operation["responses"]) == ([], False)
            else:
                assert (operation["security"], "401" in operation["responses"]) == ([{"bearer": []}], True)
            names.add(operation["operationId"])
    assert names >= {"listChats", "getChat", "listMessages", "getMessage", "replayWebhookEvent"}


def test_errors_are_described_in_the_shape_they_have(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    for response in document["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Error"}
    body = document["components"]["schemas"]["ErrorBody"]
    assert set(body["properties"]) == {"code", "message", "fields", "details", "requestId"}


def test_what_may_be_wrong_with_a_body_is_described(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    sent = [
        operation
        for operations in document["paths"].values()
        for name, operation in operations.items()
        if name != "parameters" and "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(sent) > 10
    for operation in sent:
        assert {"400", "413", "415", "422"} <= set(operation["responses"]), operation["operationId"]


def test_the_key_that_makes_a_request_repeatable_is_described(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    operation = document["paths"][f"{BASE}/chats/{{chat_id}}/messages"]["post"]
    headers = [one for one in operation["parameters"] if one["in"] == "header"]
    assert [(one["name"], one["required"]) for one in headers] == [("Idempotency-Key", False)]


def test_a_file_may_be_of_any_type_in_part_or_there_already(api: Api) -> None:
    document = api.stranger().get("/openapi.json").json
    assert document is not None
    for path in ("{media_id}", "{media_id}/thumbnail", "{media_id}/public"):
        answers = document["paths"][f"{BASE}/media/{path}"]["get"]["responses"]
        assert {"200", "206", "304", "416"} <= set(answers)
        assert list(answers["200"]["content"]) == list(answers["206"]["content"]) == ["*/*"]


def test_no_internal_field_is_described(api: Api) -> None:
    response = api.stranger().get("/openapi.json")
    for internal in ("leaseUntil", "generation", "deliveryKey", "reactionTimes", "rawBody", "isDeleted"):
        assert internal not in response.text
    assert response.json is not None
    assert "sourceUrl" not in response.json["components"]["schemas"]["Media"]["properties"]


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    stranger = api.stranger()
    page = stranger.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text
    assert "<script>" not in page.text
    assert page.headers["Content-Security-Policy"] == POLICY
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 4
    for path in loaded:
        asset = stranger.get(f"/{path}")
        assert asset.status_code == 200
        assert len(asset.data) > 100
        assert asset.headers["X-Content-Type-Options"] == "nosniff"
    assert "://" not in stranger.get("/docs/start.js").text


def test_the_policy_lets_scripts_and_connections_go_nowhere_else() -> None:
    policy = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*", POLICY)


def test_assets_have_the_type_a_browser_insists_on(api: Api) -> None:
    types = {name: api.stranger().get(f"/docs/{name}").mimetype for name in ("swagger-ui.css", "swagger-ui-bundle.js")}
    assert types == {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


def test_nothing_but_the_assets_is_served(api: Api) -> None:
    for name in ("index.html", "__init__.py", "pages.py", "..", "%2e%2e", "oauth2-redirect.html", "swagger-ui.js"):
        assert api.stranger().get(f"/docs/{name}").status_code == 404
