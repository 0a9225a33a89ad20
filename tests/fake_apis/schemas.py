"""What a strict tool's schema may say."""

_RANGES = {
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
}
_NESTED = ("properties", "$defs", "definitions")


def fault_in(schema):
    """What a strict tool's schema may not say, as one sentence; None if all is well."""
    return _fault(schema, schema, ())


def _fault(schema, root, within):
    if not isinstance(schema, dict):
        return f"expected a schema, found {schema!r}" if schema is not True else None
    if "$ref" in schema:
        return _fault_behind(schema["$ref"], root, within)
    if refused := sorted(_RANGES & schema.keys()):
        return f"For '{schema.get('type')}' type, property '{refused[0]}' is not supported"
    if schema.get("minItems", 0) not in (0, 1):
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    faults = (_fault(part, root, within) for part in _parts(schema))
    return next((fault for fault in faults if fault), None)


def _parts(schema):
    for key in _NESTED:
        yield from schema.get(key, {}).values()
    for key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        yield from schema.get(key, ())
    if "items" in schema:
        yield schema["items"]


def _fault_behind(reference, root, within):
    if reference in within or reference == "#":
        return f"Circular reference detected in schema definitions: {reference}"
    found = root
    for key in reference.removeprefix("#/").split("/"):
        if not isinstance(found, dict) or key not in found:
            return f"Cannot resolve $ref {reference}"
        found = found[key]
    return _fault(found, root, (*within, reference))


def optional_in(schema):
    """The first property that is not required, where all must be; None if all are."""
    if isinstance(schema, dict):
        if missing := schema.get("properties", {}).keys() - set(schema.get("required", ())):
            return f"'required' is required to include every key in properties: {min(missing)!r}"
        return next((found for part in _parts(schema) if (found := optional_in(part))), None)
    return None
