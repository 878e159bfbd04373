"""Values for the members of a botocore shape: every member, or only what is required."""

import base64
import datetime

MOMENT = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.timezone.utc)
# What each protocol must escape somewhere: markup, form encoding, quotes, text outside ASCII.
TEXT = "a<b>&\"c\" d+e/f=%20é"
DEPTH_MAX = 12


class Samples:
    """Makes values. Recursive shapes end where a shape would hold itself again."""

    def __init__(self, full):
        self.full = full

    def structure(self, shape, inside=()):
        if shape is None:
            return {}
        required = shape.required_members
        chosen = [name for name in shape.members if self.full or name in required]
        if getattr(shape, "is_tagged_union", False):
            chosen = list(shape.members)[:1]
        if inside and not chosen:
            # An empty structure leaves no trace in a query.
            chosen = list(shape.members)[:1]
        values = {}
        for name in chosen:
            member = shape.members[name]
            if name not in required and (member.name in inside or len(inside) > DEPTH_MAX):
                continue
            values[name] = self.value(member, (*inside, shape.name))
        return values

    def value(self, shape, inside):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, inside)
        if kind == "list":
            if shape.member.name in inside:
                return [{}]
            count = min(max(2, shape.metadata.get("min", 0)), shape.metadata.get("max", 2))
            return [self.value(shape.member, (*inside, shape.name)) for _ in range(count)]
        if kind == "map":
            return {self.value(shape.key, inside): self.value(shape.value, (*inside, shape.name))}
        return scalar(shape)


def scalar(shape):
    kind, least, most = shape.type_name, shape.metadata.get("min"), shape.metadata.get("max")
    if kind in ("string", "character"):
        enum = shape.metadata.get("enum")
        if enum:
            return enum[-1]
        text = TEXT[: int(most)] if most is not None else TEXT
        return text.ljust(int(least or 0), "x")
    if kind == "boolean":
        return True
    if kind in ("integer", "long"):
        number = 7 if kind == "integer" else 2**40 + 1
        number = min(number, int(most)) if most is not None else number
        return max(number, int(least)) if least is not None else number
    if kind in ("float", "double"):
        return min(max(1.5, float(least or 0)), float(most)) if most is not None else max(1.5, float(least or 0))
    if kind == "blob":
        return bytes(range(0, 20)).ljust(int(least or 0), b"\0")
    if kind == "timestamp":
        return MOMENT
    raise AssertionError(f"no sample of {kind}")


def plain(value):
    """A value as the echo program writes it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return value
