// The invitation: the link to a match, its code, and a picture of it. It has two sides,
// one to play and one to watch. And where one types the code that somebody else has.

import { FOLDER, readAddress } from "./seat.js";

// How long a code is. A key is longer.
const CODE_LENGTH = 6;

// How long the page says that it has copied a link, in milliseconds.
const COPIED_TIME = 5000;

// The names by which a machine calls itself. On another they would be that one.
const OWN_NAME =
  /^(localhost\.?|.*\.localhost\.?|127\..*|0\.0\.0\.0|\[::1?\]|\[::ffff:(7f..:.*|0:0)\])$/;

let copiedTimer;

// Draw the invitation. From the state it takes:
//
//   isShown     whether there is one
//   isInviting  whether it's opened in play
//   side        which link it shows, "join" or "watch"
//   keys        the code, and the host for links that work on other machines
export function renderInvitation({ isShown, isInviting, side, keys }) {
  const card = document.querySelector(".invitation");
  card.hidden = !isShown;
  if (!isShown) {
    return;
  }
  const isJoin = side === "join";
  card.dataset.side = side;
  setText(card.querySelector("h2"), isJoin ? "Invite a friend" : "Let others watch");
  setText(card.querySelector(".turn"), isJoin ? "Link to watch" : "Link to play");
  card.querySelector(".close").hidden = !isInviting;
  // It exists only on https and localhost. Without it, copying is what one does.
  const canShare = navigator.share !== undefined;
  card.querySelector(".share").hidden = !canShare;
  card.querySelector(".copy").classList.toggle("key", !canShare);
  renderLink(card, linkTo(side, keys));
}

// Setting the same text again would undo a selection, by which one copies it.
function renderLink(card, href) {
  const link = card.querySelector("a");
  if (link.getAttribute("href") === href) {
    return;
  }
  const code = href.slice(-CODE_LENGTH);
  card.querySelector(".copy .label").textContent = "Copy";
  link.href = href;
  setText(card.querySelector(".address"), href.slice(href.indexOf("//") + 2, -CODE_LENGTH));
  const letters = card.querySelector(".code span");
  setText(letters, code);
  letters.style.setProperty("--broad", code.replace(/[^mw]/g, "").length);
  renderPicture(card.querySelector(".qrcode"), href);
}

// The game goes on without a picture, if its module doesn't come or the link is too long.
async function renderPicture(svg, href) {
  svg.setAttribute("hidden", "");
  try {
    const { renderQRCode } = await import("./qrcode.js");
    renderQRCode(svg, href);
    svg.removeAttribute("hidden");
    svg.setAttribute("aria-label", `QR code of ${href}`);
  } catch (error) {
    console.info(`There is no picture of ${href}: ${error.message}`);
  }
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Return the link for somebody who opens it on any machine of this network.
export function linkTo(side, { code, host }) {
  const url = new URL(FOLDER, window.location.href);
  if (OWN_NAME.test(url.hostname) && host) {
    url.hostname = host.includes(":") ? `[${host}]` : host;
  }
  return `${url.href}${side === "join" ? "" : "?watch="}${code}`;
}

// Let somebody open the invitation, turn it round, close it, and copy or share its link.
// change(changes) is told what changes in the state.
export function offerInvitation(change) {
  const card = document.querySelector(".invitation");
  for (const button of document.querySelectorAll(".quiet .invite, .invitation .invite")) {
    button.addEventListener("click", () => change({ isInviting: true }));
  }
  card.querySelector(".turn").addEventListener("click", () => {
    change({ side: card.dataset.side === "join" ? "watch" : "join" });
  });
  const close = () => change({ isInviting: false, side: "join" });
  card.querySelector(".close").addEventListener("click", close);
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !card.querySelector(".close").hidden) {
      close();
    }
  });
  offerCopying((note) => change({ note }));
}

// Make the link, and the buttons below it, copy and share the address.
//
//   handleNote(text)  is told how copying went, in a sentence; "" after a while
function offerCopying(handleNote) {
  const card = document.querySelector(".invitation");
  const link = card.querySelector("a");
  const copy = card.querySelector(".copy .label");
  const copyLink = async () => {
    const isCopied = await copyText(link);
    handleNote(
      isCopied
        ? "The link is copied."
        : "The link is selected. Copy it with your keyboard or menu.",
    );
    copy.textContent = isCopied ? "Copied" : "Copy";
    clearTimeout(copiedTimer);
    copiedTimer = setTimeout(() => {
      copy.textContent = "Copy";
      handleNote("");
    }, COPIED_TIME);
  };
  card.querySelector(".copy").addEventListener("click", copyLink);
  link.addEventListener("click", (event) => {
    // To follow it would be to leave the seat. It may be opened in a new tab.
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (isPlain) {
      event.preventDefault();
      copyLink();
    }
  });
  document.addEventListener("copy", (event) => {
    // Otherwise the address would have the gap that one sees before the code.
    const selection = window.getSelection();
    if (Array.from(link.children).every((part) => selection.containsNode(part, true))) {
      event.clipboardData.setData("text/plain", link.href);
      event.preventDefault();
    }
  });
  card.querySelector(".share").addEventListener("click", () => {
    // Rejected when the player closes the sheet, which is fine.
    navigator.share({ title: "Connect Four", url: link.href }).catch(() => {});
  });
}

// Copy the address of a link, and return whether that worked.
async function copyText(link) {
  try {
    await navigator.clipboard.writeText(link.href);
    return true;
  } catch {
    // On plain http there is no clipboard, and anywhere it may be forbidden. Then there
    // is the old way: copy what is selected.
    window.getSelection().selectAllChildren(link);
    return document.execCommand("copy");
  }
}

// Go to the match whose code somebody types, or pastes with all that is around it.
export function offerCodes() {
  const form = document.querySelector(".typed");
  const input = form.querySelector("input");
  const follow = () => {
    const { name, key = "" } = readTyped(input.value);
    const isWhole = key.length >= CODE_LENGTH;
    if (isWhole) {
      window.location.assign(`./?${name}=${key}`);
    }
    return isWhole;
  };
  input.addEventListener("input", () => {
    input.setCustomValidity("");
    follow();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!follow()) {
      input.setCustomValidity("A code has six letters and digits.");
      input.reportValidity();
    }
  });
  window.addEventListener("hashchange", () => window.location.reload());
}

// Return what a code, or a link to a match, asks for. Nothing asks for nothing, wherever
// we are.
function readTyped(text) {
  try {
    const base = new URL(FOLDER, window.location.href);
    return readAddress(new URL(text.trim().replace(/[/]+$/, ""), base));
  } catch {
    return {}; // That is no address.
  }
}
