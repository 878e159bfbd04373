use base::Fault;
use http::Method;
use percent_encoding::percent_decode;

/// Most parameters of one request: those of the largest `PutMetricData`, with room to spare.
const PARAMETERS_MAX: usize = 32_768;

/// The parameters of a query request: of the URL for GET, else of the body too.
pub(crate) fn parameters(parts: &http::request::Parts, body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let mut all = Vec::new();
    parse(parts.uri.query().unwrap_or_default().as_bytes(), &mut all)?;
    if parts.method != Method::GET {
        parse(body, &mut all)?;
    }
    Ok(all)
}

/// Reads `a=1&b=2` with `+` for a space and percent-encoding.
fn parse(text: &[u8], all: &mut Vec<(String, String)>) -> Result<(), Fault> {
    for pair in text.split(|b| *b == b'&').filter(|p| !p.is_empty()) {
        if all.len() == PARAMETERS_MAX {
            return Err(malformed(format!("The request has more than {PARAMETERS_MAX} parameters")));
        }
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let (key, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        all.push((decoded(key)?, decoded(value)?));
    }
    Ok(())
}

fn decoded(text: &[u8]) -> Result<String, Fault> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| malformed("The query string is not UTF-8"))?;
    Ok(text.into_owned())
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(400, "MalformedQueryString", message)
}
