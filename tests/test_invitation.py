"""The invitation: it's opened and closed, and the link to a match copied and shared."""

from playwright.async_api import expect

from people import column, link, see, start
from stories import tell


async def test_link_itself_copies_and_does_not_leave_the_seat(open_page):
    red, join, _ = await start(open_page)
    await red.locator(".invitation a").click()
    await expect(red.get_by_role("button", name="Copied")).to_be_visible()
    await see(red, said="The link is copied.")
    assert red.url == join
    async with red.context.expect_page() as tab:
        await red.locator(".invitation a").click(modifiers=["Control"])
    await see(await tab.value, said="You are yellow.")


async def test_link_is_shared_where_the_browser_can_or_selected_to_be_copied(open_page):
    script = """
        navigator.share = async ({ url }) => { window.shared = url; };
        navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
        document.execCommand = () => false;
    """
    red = await open_page(script=script)
    await red.get_by_role("button", name="Share").click()
    await red.get_by_role("button", name="Copy").click()
    await see(red, said="The link is selected.")
    await expect(red.get_by_role("button", name="Copied")).to_have_count(0)
    selected = await red.evaluate("String(getSelection()).replace(/\\s/g, '')")
    assert f"http://{selected}" == await link(red) == await red.evaluate("shared")


async def test_earlier_timer_does_not_undo_what_was_copied_last(open_page, site):
    # Copying takes no time, and nothing can be shared.
    script = """
        navigator.clipboard.writeText = async () => {};
        Object.defineProperty(navigator, "share", { value: undefined });
    """
    page = await open_page("about:blank")
    await page.add_init_script(script)
    await page.clock.install()
    await page.goto(site.url)
    await page.get_by_role("button", name="Copy").click()
    await page.clock.run_for(3000)
    await page.get_by_role("button", name="Copied").click()
    await page.clock.run_for(3000)
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    await page.clock.run_for(3000)
    await expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    await expect(page.get_by_role("status")).not_to_contain_text("copied")
    await expect(page.get_by_role("button", name="Share")).to_have_count(0)


async def test_invitation_is_opened_turned_and_closed_on_a_phone(match):
    viewport = {"width": 320, "height": 568}
    match.options = {"viewport": viewport, "has_touch": True, "is_mobile": True}
    await match.begin(3, 3)
    red = await match.open("red")
    card = red.locator(".invitation")
    for key in ("Enter", "Escape"):
        await red.locator(".invite:visible").click()
        await see(red, card="Invite a friend")
        assert await link(red) == match.links["code"]
        await card.get_by_role("button", name="Link to watch").click()
        await see(red, card="Let others watch")
        assert await link(red) == match.links["spectator"]
        await card.get_by_label("Close").press(key)
        await see(red, card="")
    await column(red, 4).tap()
    await see(red, moves=[3, 3, 4])
    assert await red.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


async def test_link_never_has_a_name_by_which_a_machine_calls_itself(stage):
    page = await stage()
    await page.route("**/blank", lambda route: route.fulfill(body=""))
    link_to = """async (host) => {
        const { linkTo } = await import("/page/invitation.js");
        return ["join", "watch"].map((side) => linkTo(side, { code: "k7qx2m", host }));
    }"""
    own = "localhost. x.localhost 0.0.0.0 127.1.2.3 [::] [::1] [::ffff:7f00:1]"
    for name, host, shown in [
        *((name, "192.168.1.5", "192.168.1.5") for name in own.split()),
        ("localhost", "fd00::5", "[fd00::5]"),
        ("localhost", None, "localhost"),
        ("friend.local", "192.168.1.5", "friend.local"),
    ]:
        await page.goto(f"http://{name}:8000/blank")
        url = f"http://{shown}:8000/"
        links = [f"{url}k7qx2m", f"{url}?watch=k7qx2m"]
        assert await page.evaluate(link_to, host) == links


async def test_code_of_who_else_waits_is_a_link_and_not_translated(modules):
    await tell(modules, "red Ry; abc234 waits")
    await expect(modules.locator("a.play")).to_have_attribute("href", "./abc234")
    codes = ":is([translate=no], [translate=no] *):is(.code, .address, #code)"
    await expect(modules.locator(codes)).to_have_count(4)
