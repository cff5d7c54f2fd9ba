"""
Tests of leaving and coming back: nobody loses a seat by what happens to the page.

That a link copies is also among the tests of the page; here is what it protects.

"""

import re

import pytest
from playwright.async_api import expect

import app
from helpers import RED_WINS
from states import (
    expect_board,
    expect_status,
    link,
    open_watching,
    play,
    play_all,
    start,
)

LISTEN = """
    window.said = [];
    new MutationObserver(() => window.said.push(document.body.innerText))
        .observe(document, { childList: true, characterData: true, subtree: true });
"""

LATE = '{"type": "error", "message": "The first event did not come in time."}'


@pytest.mark.parametrize("name", ["join", "watch"])
async def test_player_who_clicks_an_own_link_keeps_the_seat(open_page, name):
    red, join, _ = await start(open_page)
    await open_watching(red)
    await red.locator(f"a.{name}").click()
    await expect_status(red, re.compile("copied|selected"))
    yellow = await open_page(join)
    await play(red, 3)
    await expect_status(yellow, "You are yellow.")
    await expect_board(yellow, [3])


async def test_link_may_be_opened_in_a_tab_of_its_own(open_page):
    red, _, _ = await start(open_page)
    await open_watching(red)
    async with red.context.expect_page() as opened:
        await red.locator("a.watch").click(modifiers=["ControlOrMeta"])
    await expect_status(await opened.value, "You are watching.")
    await expect_status(red, "You are red.")


async def test_seat_survives_a_first_event_that_comes_too_late(open_page):
    red, join, _ = await start(open_page)
    attempts = []

    def delay(websocket):
        attempts.append(websocket)
        if len(attempts) > 1:
            websocket.connect_to_server()
            return

        async def be_late(_):
            websocket.send(LATE)
            await websocket.close(code=1008)

        websocket.on_message(be_late)

    await red.route_web_socket(re.compile(""), delay)
    await red.reload()
    await expect_status(red, "You are red.")
    assert await link(red, "join") == join
    assert len(attempts) == 2


async def test_only_the_key_that_is_of_no_use_is_forgotten(open_page, site):
    red, old, _ = await start(open_page)
    await red.get_by_role("link", name="New game").click()
    await expect(red.locator("a.join")).not_to_have_attribute("href", old)
    await expect_status(red, "You are red.")
    new = await link(red, "join")
    (match,) = app.FORSAKEN
    app.forget(match)
    await red.go_back()
    await expect_status(red, "This game is gone.")
    await red.reload()
    await expect(red.locator("a.join")).to_have_attribute("href", new)


@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_player_who_closed_the_tab_opens_the_address_again(
    open_page, site, player
):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play(red, 3)
    closed, other = (red, yellow) if player == "red" else (yellow, red)
    await expect_board(closed, [3])
    tab = await closed.context.new_page()
    await closed.close()
    await expect_status(other, "has left")
    await tab.goto(site.url)
    await expect_status(tab, f"You are {player}.")
    await expect_board(tab, [3])
    await expect_status(other, "is back")


async def test_second_tab_starts_a_game_of_its_own(open_page, site):
    red, _, watch = await start(open_page)
    tab = await red.context.new_page()
    await tab.add_init_script(LISTEN)
    await tab.goto(site.url)
    await expect_status(tab, "You are red.")
    assert await link(tab, "watch") != watch
    assert "taken" not in await tab.evaluate("window.said.join()")
    for page, this in [(red, watch), (tab, await link(tab, "watch"))]:
        await page.reload()
        await expect_status(page, "You are red.")
        assert await link(page, "watch") == this


async def test_game_that_is_over_is_brought_back_while_the_other_is_there(
    open_page, site
):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [6, *RED_WINS[:-1]])
    await expect_board(red, [6, *RED_WINS[:-1]])
    tab = await red.context.new_page()
    await red.close()
    await play(yellow, RED_WINS[-1])
    await yellow.get_by_role("button", name="Rematch").click()
    await tab.goto(site.url)
    await expect_status(tab, "Yellow wants a rematch.")
    # Nobody wants to begin with the end of an old game, alone.
    await yellow.close()
    await expect_status(tab, "Yellow has left")
    await tab.reload()
    await expect_status(tab, "Yellow wins!")
    red = await tab.context.new_page()
    await tab.close()
    await red.goto(site.url)
    await expect_status(red, "You move first.")
    await red.reload()
    await expect_status(red, "You move first.")


async def test_rematch_is_brought_back_again(open_page, site):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, RED_WINS)
    for page in (red, yellow):
        await page.get_by_role("button", name="Rematch").click()
    await expect_status(red, "Yellow's turn.")
    tab = await red.context.new_page()
    await red.close()
    await tab.goto(site.url)
    await expect_status(tab, "Yellow's turn.")
    await expect(tab.locator(".player.red .wins")).to_have_text("1 win")


async def test_seat_of_a_game_that_is_gone_does_not_stop_a_new_one(open_page, site):
    red, join, _ = await start(open_page)
    await site.stop()
    await red.close()
    await site.start()
    tab = await red.context.new_page()
    await tab.goto(site.url)
    await expect_status(tab, "You move first.")
    assert await link(tab, "join") != join


async def test_reload_is_remembered_where_storage_is_forbidden(open_page, site):
    forbid = """Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("no", "SecurityError"); } })"""
    red = await open_page("about:blank")
    await red.add_init_script(forbid)
    await red.goto(site.url)
    await play(red, 3)
    await expect_board(red, [3])
    await red.get_by_role("button", name="Sound").click()
    await red.reload()
    await expect_board(red, [3])


async def test_nothing_that_is_dead_is_shown_without_the_script(open_page):
    page = await open_page(java_script_enabled=False)
    for role in ("link", "button"):
        await expect(page.get_by_role(role)).to_have_count(0)


@pytest.mark.parametrize("name", ["Copy", "New game"])
async def test_short_loss_of_the_network_leaves_the_focus_alone(open_page, site, name):
    red, _, _ = await start(open_page)
    control = red.locator("button, a").filter(has_text=name).first
    await control.focus()
    for connection in site.servers[1].connections:
        connection.transport.abort()
    await expect_status(red, "lost")
    await expect(control).to_be_focused()
    await expect_status(red, "You are red.")
    await expect(control).to_be_focused()


async def test_only_news_falls(open_page, site):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    for page, column in [(red, 3), (yellow, 3), (red, 4)]:
        await play(page, column)
        await expect(page.locator(".falling")).to_have_class(re.compile("last"))
    await expect_board(red, [3, 3, 4])
    # What changes on the board while the page comes back?
    await red.evaluate(
        """() => {
            window.changes = [];
            new MutationObserver((records) => {
                window.changes.push(...records.map(({ target }) => target.className));
            }).observe(document.querySelector(".board"), {
                attributes: true, attributeFilter: ["class"], subtree: true,
            });
        }"""
    )
    for connection in site.servers[1].connections:
        connection.transport.abort()
    await expect_status(red, "lost")
    await expect_status(red, "You are red.")
    await expect_status(yellow, "Your turn.")
    cells = await red.evaluate("window.changes.filter((name) => /cell/.test(name))")
    assert cells == []
    await red.reload()
    await expect_board(red, [3, 3, 4])
    await expect(red.locator(".falling")).to_have_count(0)
    await play(yellow, 5)
    await expect(red.locator(".falling.yellow.last")).to_have_count(1)
