//! Signing secrets: one line of a file each, shown nowhere.
//!
//! The file is read again for every attempt instead of being watched or cached by its time of change: an attempt costs a network round
//! trip anyway, the file is tiny, and a secret that was swapped within the same second (or by a symlink, as Kubernetes does it) is seen.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Secrets in one file. Two are enough to rotate; more only lengthen the header.
pub const MAX_SECRETS: usize = 4;

/// Standard Webhooks, "Signature scheme": at least 24 bytes (192 bits).
pub const MIN_SECRET_BYTES: usize = 24;

/// A file of [`MAX_SECRETS`] long secrets has well under 4 KiB; what is larger is some other file.
pub const MAX_FILE_BYTES: u64 = 4096;

const PREFIX: &[u8] = b"whsec_";

/// People copy secrets with and without the trailing `=`.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The bytes of one signing secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why there is no secret to sign with. Never holds any part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read secret file {}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("secret file {} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("secret file {} is larger than {MAX_FILE_BYTES} bytes: want one secret a line", path.display())]
    TooLarge { path: PathBuf },
    #[error("secret file {} holds no secret; hint: echo \"whsec_$(openssl rand -base64 32)\" > {}", path.display(), path.display())]
    Empty { path: PathBuf },
    #[error("secret file {} holds more than {MAX_SECRETS} secrets", path.display())]
    TooMany { path: PathBuf },
    #[error("secret file {}, line {line}: {cause}", path.display())]
    Line { path: PathBuf, line: usize, cause: FormatError },
}

/// Why a text is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("what stands behind whsec_ is not base64")]
    NotBase64,
    #[error("the secret has {found_bytes} bytes, want at least {MIN_SECRET_BYTES}; hint: openssl rand -base64 32")]
    TooShort { found_bytes: usize },
}

impl Secret {
    /// `whsec_<base64>`, or else the bytes themselves. White space around it is not part of it.
    pub fn parse(text: &[u8]) -> Result<Self, FormatError> {
        let text = text.trim_ascii();
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => BASE64.decode(encoded).map_err(|_| FormatError::NotBase64)?,
            None => text.to_vec(),
        };
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(FormatError::TooShort { found_bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where a target's secrets are kept: one a line, the newest first by custom; all of them sign, so that a receiver that knows only the
/// old one goes on while the new one is handed out.
#[derive(Clone, Debug)]
pub struct SecretFile {
    path: PathBuf,
}

impl SecretFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file as it is now. Blocks for a disk read; at least one secret.
    pub fn read(&self) -> Result<Vec<Secret>, SecretError> {
        let path = || self.path.clone();
        let text = self.text()?;
        let mut secrets = Vec::new();
        for (i, line) in text.split(|b| *b == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if secrets.len() == MAX_SECRETS {
                return Err(SecretError::TooMany { path: path() });
            }
            secrets.push(Secret::parse(line).map_err(|cause| SecretError::Line { path: path(), line: i + 1, cause })?);
        }
        if secrets.is_empty() {
            return Err(SecretError::Empty { path: path() });
        }
        Ok(secrets)
    }

    /// What it holds, as one value without the white space around it. Blocks for a disk read.
    pub fn read_value(&self) -> Result<Vec<u8>, SecretError> {
        let text = self.text()?.trim_ascii().to_vec();
        if text.is_empty() { Err(SecretError::Empty { path: self.path.clone() }) } else { Ok(text) }
    }

    fn text(&self) -> Result<Vec<u8>, SecretError> {
        let path = || self.path.clone();
        let unreadable = |cause| SecretError::Read { path: path(), cause };
        // Asked before opening: opening a pipe without a writer would block for ever.
        if !std::fs::metadata(&self.path).map_err(unreadable)?.is_file() {
            return Err(SecretError::NotAFile { path: path() });
        }
        let mut text = Vec::new();
        File::open(&self.path).map_err(unreadable)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
        if u64::try_from(text.len()).is_ok_and(|len| len <= MAX_FILE_BYTES) {
            Ok(text)
        } else {
            Err(SecretError::TooLarge { path: path() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Secret>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        SecretFile::new(file.path()).read().map_err(|e| e.to_string().replace(file.path().to_str().unwrap(), "FILE"))
    }

    #[test]
    fn reads_both_forms_one_a_line() {
        let secrets = read(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n\n  a raw secret of enough bytes \n").unwrap();
        assert_eq!((secrets.len(), secrets[0].as_bytes().len()), (2, 24));
        assert_eq!(secrets[1].as_bytes(), b"a raw secret of enough bytes");
        assert_eq!(
            Secret::parse(b"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            Secret::parse(b"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        );
    }

    #[test]
    fn says_what_is_wrong_without_showing_the_secret() {
        for (text, part) in [
            (&b""[..], "holds no secret"),
            (b"\n \n", "holds no secret"),
            (b"hunter2-hunter2", "FILE, line 1: the secret has 15 bytes, want at least 24"),
            (b"a raw secret of enough bytes\nwhsec_!!hunter2!!\n", "line 2: what stands behind whsec_ is not base64"),
            (&[b'x'; 5000], "larger than 4096 bytes"),
            (&b"a raw secret of enough bytes\n".repeat(5), "more than 4 secrets"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(SecretFile::new(folder.path()).read(), Err(SecretError::NotAFile { .. })));
        assert!(matches!(SecretFile::new(folder.path().join("none")).read(), Err(SecretError::Read { .. })));
        assert_eq!(format!("{:?}", Secret::parse(b"a raw secret of enough bytes").unwrap()), "Secret(***)");
    }
}
