//! The HTTP client that everything of ours is sent with, before its own settings: no redirects, no proxies from the environment, no retries of
//! its own.
//!
//! A redirect would turn a POST into a GET or carry a signed body to somebody else; a retry inside the client would be one that nobody counted.

use std::error::Error;

use reqwest::{Client, ClientBuilder};

use super::address::PrivateAddress;

/// One that follows nothing and asks nobody else.
pub fn builder() -> ClientBuilder {
    // Fails only where another part of the program has installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("portent/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
}

/// What an error says in all its layers, without the URL, where tokens live; or the private address that was the reason.
///
/// # Errors
/// The private address.
pub fn words(error: reqwest::Error) -> Result<String, PrivateAddress> {
    let error = error.without_url();
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        if let Some(private) = cause.downcast_ref::<PrivateAddress>() {
            return Err(private.clone());
        }
        let part = cause.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = cause.source();
    }
    Ok(text)
}
