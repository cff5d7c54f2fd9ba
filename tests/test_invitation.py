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


async def test_link_is_shared_where_the_browser_can_or_selected_to_be_copied(stage):
    page = await stage()
    await page.evaluate("""() => {
        navigator.share = async ({ url }) => { window.shared = url; };
        navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
        document.execCommand = () => false;
    }""")
    await tell(page, "red Ry")
    await page.get_by_role("button", name="Share").click()
    await page.get_by_role("button", name="Copy").click()
    await see(page, said="The link is selected.")
    await expect(page.get_by_role("button", name="Copied")).to_have_count(0)
    selected = await page.evaluate("String(getSelection()).replace(/\\s/g, '')")
    assert f"http://{selected}" == await link(page) == await page.evaluate("shared")


async def test_earlier_timer_does_not_undo_what_was_copied_last(stage):
    page = await stage()
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    # Copying takes no time, and nothing can be shared.
    await page.evaluate("""() => {
        navigator.clipboard.writeText = async () => {};
        Object.defineProperty(navigator, "share", { value: undefined });
    }""")
    await tell(page, "red Ry")
    await page.get_by_role("button", name="Copy").click()
    await page.clock.run_for(3000)
    await page.get_by_role("button", name="Copied").click()
    await page.clock.run_for(4999)
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    await page.clock.run_for(1)
    await expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    await expect(page.get_by_role("status")).not_to_contain_text("copied")
    await expect(page.get_by_role("button", name="Share")).to_have_count(0)


async def test_invitation_is_opened_turned_and_closed_on_a_phone(stage):
    page = await stage(320, 568, has_touch=True, is_mobile=True)
    await tell(page, "red RY 33")
    card = page.locator(".invitation")
    for key in ("Enter", "Escape"):
        await page.locator(".invite:visible").tap()
        await see(page, card="Invite a friend")
        assert await link(page) == "http://192.168.1.5:8000/k7qx2m"
        await card.get_by_role("button", name="Link to watch").tap()
        await see(page, card="Let others watch")
        assert await link(page) == "http://192.168.1.5:8000/?watch=k7qx2m"
        await card.get_by_label("Close").press(key)
        await see(page, card="")
    await column(page, 4).tap()
    assert await page.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


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
