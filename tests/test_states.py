"""Each state of the page is told in its own words, and has nothing that axe minds."""

import pytest
from axe_playwright_python.async_playwright import Axe

from states import STATES, Match, expect_state


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_state_has_its_words_and_axe_finds_nothing(open_page, site, state):
    match = Match(site, open_page)
    page = await state(match)
    await expect_state(page, state)
    results = await Axe().run(page)
    assert results.response["violations"] == [], results.generate_report()
    await match.end()
