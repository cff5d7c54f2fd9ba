"""People take turns at a match: they play again, make room, and sit down."""

from playwright.async_api import expect

from helpers import RED_WINS
from people import link, press, see, start, take_turns


async def give_away(page, seat="Yellow"):
    """Let somebody else have the seat of a player who left just now."""
    await press(page, "Let somebody play")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(f"{seat} left just now")
    await dialog.get_by_role("button", name="Let somebody play").click()


async def test_loser_makes_room_and_a_spectator_plays_the_winner(match):
    await match.begin(*RED_WINS)
    red, yellow = await match.open("red"), await match.open("yellow")
    await yellow.get_by_role("button", name="Let somebody play").dblclick()
    await see(yellow, said="You are watching.")
    spectator = await match.open("spectator")
    # A second click would have been refused by now.
    watchers = {"watchers": "1 person is watching."}
    await see(yellow, sentence="Yellow’s seat is free.", act="Play", **watchers)
    assert await yellow.evaluate("localStorage.getItem('seats at /')") == "[]"
    await press(spectator, "Play")
    await take_turns(spectator, red, [3, 3])
    await see(red, yellow, spectator, moves=[3, 3], first="yellow", scores="1 0")


async def test_who_just_watches_leaves_both_seats_to_others(open_page):
    red, join, _ = await start(open_page)
    await red.get_by_role("button", name="Just watch").click()
    await see(red, said="You are watching.", sentence="Both seats are free.")
    assert await link(red) == join


async def test_seat_is_given_away_and_who_had_it_is_led_to_the_match(match):
    await match.begin(3, 3)
    yellow, red = await match.open("yellow"), await match.open("red")
    tab = await yellow.context.new_page()
    await see(red, phase="turn")
    await yellow.close()
    await press(red, "Let somebody play")
    await red.get_by_role("dialog").get_by_role("button", name="Wait").click()
    await see(red, sentence="Yellow is away.")
    await give_away(red)
    await press(red, "Invite")
    await see(red, card="Invite a friend")
    await tab.goto(match.site.url)
    await see(tab, said="You are yellow.", moves=[3, 3])
    # The card that closes then leaves no time to click.
    await see(red, said="Yellow has joined.", card="")
    await take_turns(red, tab, [4, 4])
    await see(red, tab, moves=[3, 3, 4, 4])


async def test_spectator_takes_over_when_both_players_are_away(match):
    await match.begin(3, 3)
    spectator = await match.open("spectator")
    for player in ("red", "yellow"):
        await match.leave(player)
    await see(spectator, sentence="Both players are away.")
    await give_away(spectator, "Red")
    await see(spectator, sentence="Both seats are free.")
    await press(spectator, "Play")
    await see(spectator, said="You are red.", moves=[3, 3])


async def test_who_waits_in_a_match_that_has_begun_is_shown_who_else_does(
    match, open_page
):
    other = await open_page()
    await see(other, phase="waiting")
    await match.begin(*RED_WINS)
    await match.leave("yellow")
    # Who comes now can't know when yellow left; so it's long ago, and nobody asks.
    red = await match.open("red")
    await press(red, "Let somebody play")
    await see(red, sentence=f"Somebody else is waiting: {other.url[-6:]}.")
    await press(red, "Play")
    await see(red, said="You are yellow.")
    await see(other, said="Yellow has joined.")
