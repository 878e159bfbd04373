//! User data: base64 on the wire, at most 16 KiB decoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ComputeError;
use super::launch_data::USER_DATA_BYTES_MAX;
use crate::error::Error;

/// The bytes that the base64 text stands for; line breaks inside are let pass, as AWS does.
pub(crate) fn decode(base64: &str) -> Option<Vec<u8>> {
    if base64.contains(char::is_whitespace) {
        let packed: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
        return STANDARD.decode(packed).ok();
    }
    STANDARD.decode(base64).ok()
}

/// Refuses what is not base64 or too long.
pub(crate) fn check(base64: &str) -> Result<(), Error> {
    match decode(base64) {
        None => Err(ComputeError::MalformedUserData.into()),
        Some(bytes) if bytes.len() > USER_DATA_BYTES_MAX => Err(ComputeError::LongUserData.into()),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{check, decode};

    #[test]
    fn reads_wrapped_base64_and_refuses_nonsense_and_giants() {
        assert_eq!(decode("IyEvYmlu\nL3No").unwrap(), b"#!/bin/sh");
        assert!(check("#!/bin/sh").is_err());
        assert!(check(&STANDARD.encode(vec![b'a'; 16 * 1024])).is_ok());
        assert!(check(&STANDARD.encode(vec![b'a'; 16 * 1024 + 1])).is_err());
    }
}
