//! What Kubernetes takes for a name. Checked before a name gets into a path: the API's paths are not escaped, so `..`, `/` or `?` in a label's
//! value would choose another object, and an empty name all of them.

/// Longest name of an object (RFC 1123 subdomain, as the API server has it).
const MAX_NAME_BYTES: usize = 253;

/// Longest part of a name, and longest name of a namespace (RFC 1123 label).
const MAX_LABEL_BYTES: usize = 63;

/// Longest value of an annotation that a playbook may set. Kubernetes takes 256 KiB for all of an object's together.
pub const MAX_VALUE_BYTES: usize = 4 * 1024;

/// A namespace or a container.
pub fn is_label(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= MAX_LABEL_BYTES
        && text.bytes().all(|b| is_inner(b) || b == b'-')
        && text.bytes().next().is_some_and(is_inner)
        && text.bytes().last().is_some_and(is_inner)
}

/// A pod, a deployment, a node.
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_BYTES && text.split('.').all(is_label)
}

/// An annotation's key that a playbook may set: with a prefix, and not one that Kubernetes or we act by.
pub fn is_own_key(key: &str) -> bool {
    let Some((prefix, name)) = key.split_once('/') else { return false };
    let is_theirs = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    let is_edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    is_name(prefix)
        && !["kubernetes.io", "k8s.io", "portent.dev"].into_iter().any(is_theirs)
        && name.len() <= MAX_LABEL_BYTES
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && is_edge(name.bytes().next())
        && is_edge(name.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_names() {
        for name in ["a", "web-7d9", "a.b.c", "0", &"a".repeat(63), &format!("{}.{}", "a".repeat(63), "b".repeat(63))] {
            assert!(is_name(name), "{name} was refused");
        }
        let long = ["a"; 128].join(".");
        for name in
            ["", ".", "..", "a..b", "-a", "a-", "A", "a_b", "a/b", "a?b", "a b", "a\n", "é", "a%2f", ".a", "a.", &"a".repeat(64), &long]
        {
            assert!(!is_name(name), "{name:?} was taken");
        }
        assert!(is_label("kube-system") && !is_label("a.b") && !is_label(""));
        for key in ["ops.example/why", "example.com/A_b.c"] {
            assert!(is_own_key(key), "{key} was refused");
        }
        let theirs = ["kubernetes.io/x", "deployment.kubernetes.io/revision", "node.k8s.io/x", "portent.dev/run", "x.portent.dev/run"];
        for key in theirs.into_iter().chain(["why", "/x", "ops.example/", "ops.example/a/b", "ops.example/-a", "Ops.example/a"]) {
            assert!(!is_own_key(key), "{key} was taken");
        }
        assert!(is_own_key("notkubernetes.io/x"), "ends like theirs and is not");
    }
}
