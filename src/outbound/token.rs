//! Bearer tokens in files: read for every use, so that a token that was replaced counts at once.

use std::path::Path;

use reqwest::header::HeaderValue;

use super::secret::SecretFile;

/// The `Authorization` header by the token in a file.
///
/// # Errors
/// For people; no part of the token is in it.
pub async fn from_file(path: &Path) -> Result<HeaderValue, String> {
    let file = SecretFile::new(path);
    let read = tokio::task::spawn_blocking(move || file.read_value()).await;
    let token = read.map_err(|error| format!("reading the token file was cut short: {error}"))?.map_err(|error| error.to_string())?;
    let wrong = || format!("token file {}: the token holds characters that no header may", path.display());
    header(std::str::from_utf8(&token).map_err(|_| wrong())?).map_err(|_| wrong())
}

/// The `Authorization` header by a token.
///
/// # Errors
/// As [`from_file`].
pub fn header(token: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|_| "the token holds characters that no header may".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_are_trimmed_bounded_and_shown_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(from_file(&path).await.unwrap_err().contains("No such file"));
        assert!(from_file(folder.path()).await.unwrap_err().contains("not a regular file"));
        std::fs::write(&path, "hunter2\n").unwrap();
        let header = from_file(&path).await.unwrap();
        assert_eq!(header, "Bearer hunter2");
        assert!(!format!("{header:?}").contains("hunter2"));
        for text in [" \n".to_owned(), "hunter2\nhunter2".to_owned(), "hunter2\u{0}".to_owned(), "hunter2".repeat(3_000)] {
            std::fs::write(&path, text).unwrap();
            assert!(!from_file(&path).await.unwrap_err().contains("hunter2"));
        }
    }
}
