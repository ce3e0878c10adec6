//! Reads `server`: the logins, by the hashes of their tokens, and whether metrics need one.

use super::fields::Fields;
use super::reader::Cx;
use super::tree::Node;
use crate::core::access::{Access, Login, Role, TokenHash};
use crate::core::time::Timestamp;

/// Tokens at most: each request with one is compared with all of them.
const MAX_TOKENS: usize = 1_000;

/// What to do about an address that others reach, while everybody who reaches it may do everything.
pub const OPEN_HINT: &str = "make a token (`portent token new --name ann --role approver`) and put its line under server.tokens; or listen on \
                             127.0.0.1, behind a proxy that knows people";

pub fn read(node: &Node, cx: &mut Cx) -> Option<Access> {
    let mut fields = Fields::of(node, "server", cx)?;
    let mut logins: Vec<Login> = Vec::new();
    if let Some(tokens) = fields.take("tokens") {
        let items = tokens.items();
        if items.len() > MAX_TOKENS {
            cx.error(tokens.at, format!("tokens: found {}, want {MAX_TOKENS} at most", items.len()));
        }
        for item in items.iter().take(MAX_TOKENS) {
            let Some(login) = login(item, cx) else { continue };
            // A name stands in the audit for a person: two tokens of one name could approve each other's proposals.
            if logins.iter().any(|known| known.name == login.name) {
                cx.error(item.at, format!("token {:?} stands twice; every token has a name of its own", login.name));
            } else if logins.iter().any(|known| known.hash == login.hash) {
                cx.error(item.at, format!("token {:?} has the hash of another: one token is one person's", login.name));
            } else {
                logins.push(login);
            }
        }
    }
    let metrics_without_login = fields.take("metrics_without_login").and_then(|n| cx.flag(n, "metrics_without_login")).unwrap_or(false);
    fields.done(cx);
    Some(Access { logins, metrics_without_login })
}

fn login(node: &Node, cx: &mut Cx) -> Option<Login> {
    let mut fields = Fields::of(node, "a token", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let role = fields.need("role", cx).and_then(|n| cx.one_of(n, "role", &Role::ALL));
    let hash = fields.need("hash", cx).and_then(|n| hash(n, cx));
    let expires = fields.take("expires").map(|n| cx.parsed::<Timestamp>(n, "expires", "a time such as 2027-01-31T00:00:00Z"));
    fields.done(cx);
    Some(Login { name: name?, role: role?, hash: hash?, expires: expires.map_or(Some(None), |e| e.map(Some))? })
}

fn hash(node: &Node, cx: &mut Cx) -> Option<TokenHash> {
    let text = cx.text(node, "hash")?;
    // What was found is not repeated: people put the token itself here.
    text.parse().map_err(|why: String| cx.error(node.at, format!("hash: {why}"))).ok()
}
