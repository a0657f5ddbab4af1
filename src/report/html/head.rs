//! What stands before the content of a page: a policy under which it loads nothing from elsewhere and runs nothing but
//! what it came with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{PreEscaped, html};
use sha2::{Digest as _, Sha256};

/// How a policy names a text of the page.
pub(super) fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// Everything up to the content of the body. `allowed` are directives of the policy beside those that every page has.
pub(super) fn head(title: &str, style: &str, allowed: &str) -> String {
    let policy = format!(
        "default-src 'none'; {allowed}style-src {}; base-uri 'none'; form-action 'none'",
        hash(style)
    );
    let meta = html! {
        meta charset="utf-8";
        meta http-equiv="Content-Security-Policy" content=(policy);
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        meta name="referrer" content="no-referrer";
        title { (title) }
        style { (PreEscaped(style)) }
    };
    format!("<!DOCTYPE html>\n<html lang=\"en\">\n<head>{}</head>\n<body>\n", meta.into_string())
}
