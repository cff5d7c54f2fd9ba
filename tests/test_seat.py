"""What an address and a browser know of seats: seat.js, without a server."""

import pytest

KEY, DASHED = "AbCdEfGhIjKlMnOp", "-bCdEfG_IjKlMn--"

# What somebody opens, and what it asks for.
ADDRESSES = f"""
    / /? /# /games/ | nothing
    /?new /?new&fbclid=IwAR0abc | new
    /k7qx2m /K7QX2M /games/k7qx2m /?k7qx2m /?K7qx2m /#k7qx2m | join k7qx2m
    /?join=k7qx2m /?join%3Dk7qx2m /?JOIN=K7QX2M /#join=k7qx2m | join k7qx2m
    /k7qx2m. /k7qx2m%20 /k7qx2m) /(k7qx2m). /?k7qx2m= /?join=k7qx2m> | join k7qx2m
    /k7qx2m?utm_source=x&gclid=Ab9 /?k7qx2m&fbclid=IwAR0 /?a=1&join=k7qx2m | join k7qx2m
    /?watch=k7qx2m /?watch%3dK7QX2M. /?x&watch=k7qx2m | watch k7qx2m
    /?join={KEY} /?join%3D{KEY}. /?join={KEY}&utm_id=1 | join {KEY}
    /?watch={DASHED} /?watch={DASHED}) | watch {DASHED}
    /?join=abc | join abc
    /?join= /?utm_source=mail /?k7qx2 /?k7qx2mm /k7qx2m1 /?hello&world /?100% | unknown
"""

CALL = """async ([name, ...values]) => {
    const seat = await import("/page/seat.js");
    const result = seat[name](...values);
    const tell = ({ event: { type, join, watch }, code, isOurs }) =>
        (join ?? (watch ? `watch ${watch}` : type))
        + (isOurs ? ", ours" : "") + (code ? `, else ${code}` : "");
    return name === "findWays" ? result.map(tell) : result;
}"""


def seat(code, *, shared=False):
    return {"code": code, "key": f"{code}'s", "isShared": shared}


@pytest.fixture
async def call(modules):
    """A function that calls one of seat.js's, in a browser that knows nothing yet."""
    yield lambda name, *values: modules.evaluate(CALL, [name, *values])
    await modules.evaluate("localStorage.clear(); history.replaceState(null, '', '/')")


async def test_address_is_understood_however_it_is_typed(modules):
    read = """async (addresses) => {
        const { readAddress } = await import("/page/seat.js");
        return addresses.map((address) => readAddress(new URL(address, location.href)))
            .map(({ name, key }) => key === undefined ? name : `${name} ${key}`);
    }"""
    for line in ADDRESSES.strip().splitlines():
        addresses, meaning = line.split(" | ")
        assert {*await modules.evaluate(read, addresses.split())} == {meaning}, line


async def test_ways_follow_from_address_history_and_stored_seats(call):
    nothing, new, unknown = {"name": "nothing"}, {"name": "new"}, {"name": "unknown"}
    join, watch = [{"name": name, "key": "k7qx2m"} for name in ("join", "watch")]
    mine = {"code": "abc234", "key": "mine"}
    seats = [seat("new111"), seat("k7qx2m"), seat("old111", shared=True)]
    for address, entry, stored, *ways in [
        (nothing, None, [], "init"),
        (new, None, seats, "init"),
        (unknown, None, seats),
        # The link leads to the seat that one has there, else to what it does for all.
        (join, None, [], "k7qx2m"),
        (join, None, seats, "k7qx2m's", "k7qx2m"),
        (watch, None, seats, "watch k7qx2m"),
        # The plain address leads to matches where somebody was, then to lonely ones.
        (nothing, None, seats, "old111's, else old111", "new111's", "k7qx2m's", "init"),
        # What the tab shows counts more than all that.
        (nothing, mine, seats, "mine, ours, else abc234"),
        (join, mine, seats, "mine, ours, else abc234"),
        (nothing, {**mine, "code": None}, seats, "mine, ours"),
        (join, {"watch": "eye"}, seats, "watch eye"),
        (new, {}, seats, "init"),
    ]:
        assert await call("findWays", address, entry, stored) == ways, (address, entry)


async def test_browser_remembers_the_last_ten_matches_the_newest_first(call):
    seats = [seat(f"seat{number:02}") for number in range(12)]
    for each in seats:
        await call("rememberSeat", each)
    assert await call("storedSeats") == seats[:1:-1]
    # One that is known stays where it was.
    again = seat("seat05", shared=True)
    await call("rememberSeat", again)
    await call("forgetSeat", "unknown")
    await call("forgetSeat", "seat07's")
    kept = [*seats[:7:-1], seats[6], again, *seats[4:1:-1]]
    assert await call("storedSeats") == kept


async def test_storage_that_is_full_or_holds_rubbish_is_no_error(modules, call):
    store = "text => localStorage.setItem('seats at /', text)"
    for rubbish in ["", "{", "null", "3", '{"length": 1}', '[null, 3, {"code": "a"}]']:
        await modules.evaluate(store, rubbish)
        assert await call("storedSeats") == []
    await call("rememberSeat", seat("k7qx2m"))
    assert await call("storedSeats") == [seat("k7qx2m")]
    await modules.evaluate("localStorage.setItem('all', 'x'.repeat(5 * 2 ** 20 - 80))")
    await call("rememberSeat", seat("abc234"))
    assert await call("storedSeats") == [seat("k7qx2m")]


async def test_seat_that_is_gone_is_forgotten_when_no_way_is_left(modules, call):
    await call("rememberSeat", seat("k7qx2m"))
    turns = """async () => {
        history.replaceState({ code: "k7qx2m", key: "k7qx2m's" }, "");
        const { turn } = (await import("/page/seat.js")).createRoute();
        const gone = { problem: { message: "Game not found." } };
        return [turn(gone), history.state !== null, turn(gone), history.state];
    }"""
    assert await modules.evaluate(turns) == [True, True, False, None]
    assert await call("storedSeats") == []


async def test_address_shows_no_key_and_the_history_the_way_back(modules, call):
    keys = {"rejoin": "mine", "watch": "eye", "code": "k7qx2m"}
    base = {**keys, "code": None}
    player, spectator = {"player": "red"}, {"player": None}
    mine, eye = {"code": "k7qx2m", "key": "mine"}, {"watch": "eye"}
    for opened, place, shown, entry in [
        ("/?join=mine", {**keys, **player}, "/k7qx2m", mine),
        ("/K7QX2M.", {**keys, **spectator}, "/k7qx2m", eye),
        ("/?watch=eye", {**keys, **spectator}, "/?watch=k7qx2m", eye),
        ("/?watch=k7qx2m", {**keys, **player}, "/k7qx2m", mine),
        ("/?join=mine", {**base, **player}, "/", {**mine, "code": None}),
        ("/?watch=eye", {**base, **spectator}, "/?watch=eye", eye),
    ]:
        await modules.evaluate("url => history.replaceState(null, '', url)", opened)
        await call("showPlace", place)
        path, state = "location.pathname + location.search", "history.state"
        assert await modules.evaluate(f"[{path}, {state}]") == [shown, entry]
        await call("forgetPlace")
        assert await modules.evaluate(state) is None
