"""What is shown to those who are not signed in, or who are and have no role; and the header's way out."""

from __future__ import annotations

import html
from typing import Final

import streamlit as st

from dashboard.people import NotAllowedError, Person, is_known
from dashboard.sign_in import sign_in
from dashboard.theme import plain

__all__ = ["FAILED", "render_sign_in", "render_who"]

FAILED: Final = "sign_in"  # query parameter: what went wrong on the way to the provider
FAILURES: Final = {
    "unreachable": "The provider that signs people in does not answer. Try again in a while; whoever runs this server "
    "finds more in its log.",
    "refused": "The sign-in was not accepted: it was broken off, took too long, or what the provider said did not "
    "hold. Try again; whoever runs this server finds the reason in its log.",
}


def render_sign_in(refusal: NotAllowedError) -> None:
    """Draw the page; nothing of the store is on it."""
    access = sign_in()
    assert access is not None  # otherwise nobody is refused
    known = is_known()
    with st.container(key="sign_in", gap="medium"):
        st.html(
            '<span class="alvin-brand">ALVIN Studio</span>'
            f'<div class="alvin-sign-in-title">{"No access" if known else "Sign in"}</div>'
            '<div class="alvin-sign-in-text">The texts and labels here are for people whom the owner of this server '
            "has named.</div>"
        )
        problem = FAILURES.get(st.query_params.get(FAILED, ""), f"{refusal}." if known else "")
        if problem:
            st.html(f'<div class="alvin-sign-in-problem" role="alert">{html.escape(problem)}</div>')
        if known:
            st.button("Sign out", key="sign_out", type="primary", width="stretch", on_click=st.logout)
            return
        for provider in access.file.providers:
            by = "" if provider.name == "default" else f" with {plain(provider.name)}"
            named = () if provider.name == "default" else (provider.name,)
            st.button(
                f"Sign in{by}",
                key=f"sign_in_{provider.name}",
                type="primary",
                width="stretch",
                on_click=st.login,
                args=named,
            )


def render_who(who: Person) -> None:
    """Draw who is signed in, with the way out; nothing where there is no sign-in."""
    if not who.signed_in:
        return
    with st.popover(plain(who.name.partition("@")[0]), key="who", icon=":material/person:", width="content"):
        st.html(
            f'<div class="alvin-sign-in-text">Signed in as <b>{html.escape(who.name)}</b>, with the role '
            f"<b>{who.role}</b>.</div>"
        )
        st.button("Sign out", key="sign_out", on_click=st.logout)
