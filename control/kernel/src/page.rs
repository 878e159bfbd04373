use base::Fault;

/// Part of a listing, and the token to go on with.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

const TOKEN_PREFIX: &str = "allod1.";

/// Cuts a listing that is sorted by `key`, which no two items share, into pages of at most `max` items. A token names the
/// first key of the next page, so that rows which come or go between two calls neither repeat nor hide others.
/// `fault` is the service's error for a token that it did not give.
pub fn page<T>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    max: usize,
    fault: impl FnOnce() -> Fault,
) -> Result<Page<T>, Fault> {
    let from = match token {
        None => None,
        Some(token) => match token.strip_prefix(TOKEN_PREFIX).and_then(decode_hex) {
            Some(from) => Some(from),
            None => return Err(fault()),
        },
    };
    let mut last = None;
    let items = items.inspect(|item| {
        if cfg!(debug_assertions) {
            let next = Some(key(item));
            assert!(last < next, "a listing is not sorted by its key: {next:?} comes after {last:?}");
            last = next;
        }
    });
    let mut rest = items.skip_while(|item| from.as_ref().is_some_and(|from| key(item) < *from));
    let items: Vec<T> = rest.by_ref().take(max).collect();
    let next_token = rest.next().map(|item| format!("{TOKEN_PREFIX}{}", encode_hex(&key(&item))));
    Ok(Page { items, next_token })
}

fn encode_hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn decode_hex(text: &str) -> Option<String> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::page;
    use base::Fault;

    #[test]
    fn pages_join_to_the_whole_and_a_strange_token_is_refused() {
        let all = ["a", "b", "c", "d", "e"];
        let bad = || Fault::validation("bad token");
        let (mut got, mut token) = (Vec::<&&str>::new(), None::<String>);
        loop {
            let part = page(all.iter(), |s| s.to_string(), token.as_deref(), 2, bad).expect("own tokens are accepted");
            got.extend(part.items);
            token = part.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(got, all.iter().collect::<Vec<_>>());
        assert!(page(all.iter(), |s| s.to_string(), Some("zz"), 2, bad).is_err());
        assert!(page(all.iter(), |s| s.to_string(), Some("allod1.0"), 2, bad).is_err());
    }

    /// Such a listing would repeat pages for ever. Builds for use do not look.
    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "not sorted by its key"]
    fn a_listing_out_of_order_is_found_by_whoever_tests_it() {
        let _ = page(["web", "web-1", "web"].iter(), |s| format!("{s}/1"), None, 3, || Fault::validation("bad token"));
    }
}
