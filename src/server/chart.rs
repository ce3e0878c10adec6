//! `/charts/{file}`: the PNGs of raised predictions, and nothing else from the disk.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncReadExt;

use super::App;
use super::answer::Refusal;

/// A prediction's id and a suffix are far below; longer names are not ours.
const MAX_NAME_BYTES: usize = 128;

/// Our charts have some 50 kB. A larger file is not ours and is not read into memory.
const MAX_CHART_BYTES: u64 = 4 << 20;

/// The page draws itself anew every few seconds; a chart changes with its prediction, some minutes apart.
const CACHING: &str = "private, max-age=60";

/// Only names that we would give: no separators, no leading dot, so no way out of the folder whatever the system makes of a path.
fn is_chart_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && name.strip_suffix(".png").is_some_and(|stem| !stem.is_empty())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// `GET /charts/{file}`
pub async fn chart(State(app): State<Arc<App>>, UrlPath(name): UrlPath<String>) -> Result<Response, Refusal> {
    let absent = || Refusal::NotFound(format!("/charts/{name}"));
    let folder = app.settings.chart_dir.as_deref().ok_or_else(absent)?;
    if !is_chart_name(&name) {
        return Err(absent());
    }
    let bytes = read(&folder.join(&name)).await.ok_or_else(absent)?;
    Ok(([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, CACHING)], bytes).into_response())
}

/// A regular file of sensible size; links are not followed.
async fn read(path: &Path) -> Option<Vec<u8>> {
    let about = tokio::fs::symlink_metadata(path).await.ok()?;
    if !about.is_file() || about.len() > MAX_CHART_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await.ok()?.take(MAX_CHART_BYTES).read_to_end(&mut bytes).await.ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_pngs_are_charts() {
        assert!(is_chart_name("p0123456789abcdef.png") && is_chart_name("p01-2.png"));
        for bad in [
            "",
            ".png",
            "..png",
            "../a.png",
            "a/b.png",
            "a\\b.png",
            "a.PNG",
            "a.svg",
            "a b.png",
            "a\0.png",
            "ä.png",
            &format!("{}.png", "a".repeat(200)),
        ] {
            assert!(!is_chart_name(bad), "{bad:?}");
        }
    }
}
