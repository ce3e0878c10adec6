//! Where a damaged store goes: out of the way, kept for whoever wants to look, never used again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::core::time::Timestamp;

/// How many damaged stores are kept. One to look at and one before it to compare; more would let a failing disk fill itself.
pub const MAX_KEPT: usize = 2;

/// Names tried for one second before giving up: as many as are kept, and some.
const MAX_NAMES: usize = 10;

/// A store that was found damaged. Say it loudly: its content is read again from Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it lies now.
    pub path: PathBuf,
    /// What was wrong with it, for people.
    pub what: String,
}

/// Renames `store` to `store.damaged-<now>` beside it and deletes the oldest of those past [`MAX_KEPT`].
pub fn set_aside(store: &Path, now: Timestamp, what: String) -> Result<SetAside, StoreError> {
    let fail = |act| move |source| StoreError::Io { act, path: store.into(), source };
    let parent = store.parent().unwrap_or(Path::new("."));
    let prefix = prefix(store);
    // Without colons and dashes, so that the name survives every file system and every copy command.
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let free = (0..MAX_NAMES)
        .map(|n| parent.join(if n == 0 { format!("{prefix}{time}") } else { format!("{prefix}{time}-{n}") }))
        .find(|path| !path.exists())
        .ok_or_else(|| fail("set aside")(io::Error::from(io::ErrorKind::AlreadyExists)))?;
    fs::rename(store, &free).map_err(fail("set aside"))?;
    prune(parent, &prefix, &free).map_err(fail("clean up after"))?;
    sync_dir(parent).map_err(fail("sync the folder of"))?;
    Ok(SetAside { path: free, what })
}

fn prefix(store: &Path) -> String {
    format!("{}.damaged-", store.file_name().unwrap_or_default().to_string_lossy())
}

/// Deletes the oldest beyond the limit, never `newest`: a clock that went back must not cost the freshest evidence.
fn prune(parent: &Path, prefix: &str, newest: &Path) -> io::Result<()> {
    let mut kept: Vec<PathBuf> = fs::read_dir(parent)?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path != newest)
        .collect();
    kept.sort_unstable();
    let surplus = (kept.len() + 1).saturating_sub(MAX_KEPT);
    kept[..surplus].iter().try_for_each(fs::remove_dir_all)
}

/// Makes names in a folder (created, renamed) survive a power cut.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_few_and_touches_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        fs::create_dir(dir.path().join("charts")).unwrap();
        let mut last = None;
        for second in [3, 4, 1, 1] {
            fs::create_dir(&store).unwrap();
            fs::write(store.join("db"), second.to_string()).unwrap();
            last = Some(set_aside(&store, Timestamp::from_millis(second * 1000), "test".into()).unwrap().path);
            assert!(!store.exists());
        }
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names.len(), 1 + MAX_KEPT, "{names:?}");
        assert_eq!(names[0], "charts");
        assert!(last.unwrap().exists(), "the newest is gone: {names:?}");
        assert!(names.contains(&"store.damaged-19700101T000004Z".to_owned()), "{names:?}");
    }
}
