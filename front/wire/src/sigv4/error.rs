use base::Fault;

use crate::route::Protocol;

/// Why a request is not accepted as its sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// There is no signature.
    Missing,
    /// A part of it is missing or malformed.
    Incomplete(String),
    UnknownKey,
    Mismatch,
    /// Signed for another region, service or date than the one asked, or without a header that must be signed.
    WrongScope(String),
    /// Times as `20260131T120000Z`.
    Expired {
        signed: String,
        now: String,
    },
    NotYet {
        signed: String,
        now: String,
    },
}

impl SignatureError {
    /// The error as services of this protocol give it: EC2, the query services and the JSON services each have
    /// codes of their own.
    pub fn fault(&self, protocol: Protocol) -> Fault {
        match protocol {
            Protocol::Ec2 => self.ec2(),
            Protocol::Query => self.query(),
            Protocol::Json | Protocol::Cbor | Protocol::Plain => self.json(),
        }
    }

    fn message(&self) -> String {
        match self {
            SignatureError::Missing => "Request is missing Authentication Token".into(),
            SignatureError::Incomplete(what) | SignatureError::WrongScope(what) => what.clone(),
            SignatureError::UnknownKey => "The security token included in the request is invalid.".into(),
            SignatureError::Mismatch => "The request signature we calculated does not match the signature you provided. \
                Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
                .into(),
            SignatureError::Expired { signed, now } => {
                format!("Signature expired: {signed} is now earlier than {now} (within 15 min. or the time the signature allows)")
            }
            SignatureError::NotYet { signed, now } => {
                format!("Signature not yet current: {signed} is still later than {now} (+ 15 min.)")
            }
        }
    }

    fn ec2(&self) -> Fault {
        let refused = "AWS was not able to validate the provided access credentials";
        match self {
            SignatureError::Missing => Fault::new(401, "MissingAuthenticationToken", self.message()),
            SignatureError::Incomplete(_) => Fault::new(400, "IncompleteSignature", self.message()),
            SignatureError::UnknownKey | SignatureError::Mismatch | SignatureError::WrongScope(_) => {
                Fault::new(401, "AuthFailure", refused)
            }
            SignatureError::Expired { .. } | SignatureError::NotYet { .. } => {
                Fault::new(400, "RequestExpired", "Request has expired.")
            }
        }
    }

    fn query(&self) -> Fault {
        let code = match self {
            SignatureError::Missing => "MissingAuthenticationToken",
            SignatureError::Incomplete(_) => return Fault::new(400, "IncompleteSignature", self.message()),
            SignatureError::UnknownKey => "InvalidClientTokenId",
            _ => "SignatureDoesNotMatch",
        };
        Fault::new(403, code, self.message())
    }

    fn json(&self) -> Fault {
        let code = match self {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) => "IncompleteSignatureException",
            SignatureError::UnknownKey => "UnrecognizedClientException",
            _ => "InvalidSignatureException",
        };
        Fault::new(400, code, self.message())
    }
}
