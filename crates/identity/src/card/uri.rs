//! `pkcs11:` addresses (RFC 7512).

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The longest address that is read, in bytes.
const MAX_URI: usize = 4096;

/// Where a credential is: which module, which token, which object.
///
/// `pkcs11:token=Anna;object=identity?module-path=/usr/lib/opensc-pkcs11.so`. Of RFC 7512 it reads `token`, `serial`,
/// `manufacturer`, `model`, `object`, `id`, `type` (private or cert), `module-path`, and the vendor attribute `x-root`: a
/// file with the trusted root, where the card does not hold it. A PIN does not belong into an address: `pin-value` and
/// `pin-source` are refused, and so is whatever else it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUri {
    /// The PKCS#11 module: a shared library.
    pub module: PathBuf,
    /// The label of the token.
    pub token: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// The label of the certificate or key.
    pub object: Option<String>,
    /// The identifier that certificate and key share.
    pub id: Option<Vec<u8>>,
    /// A PEM file with the trusted root.
    pub root: Option<PathBuf>,
}

/// Why a text is no address of a card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not begin with `pkcs11:`, is too long, or an escape in it is none.
    #[error("it is no address of a card; write pkcs11:token=LABEL?module-path=/path/to/module.so")]
    Form,
    /// There is no module.
    #[error("it names no module; add ?module-path=/path/to/module.so")]
    NoModule,
    /// It holds a PIN.
    #[error("a PIN does not belong into an address, where others may read it; leave {0} out")]
    Pin(&'static str),
    /// Something is there twice.
    #[error("it has {0} twice")]
    Twice(&'static str),
    /// Something is not understood; ignoring it could mean another key.
    #[error("it has a part that is not understood here: {0}")]
    Unknown(String),
}

impl CardUri {
    /// The token with this label behind a module.
    pub fn of_token(module: &Path, label: &str) -> Self {
        let module = module.to_owned();
        let token = Some(label.to_owned());
        Self { module, token, serial: None, manufacturer: None, model: None, object: None, id: None, root: None }
    }

    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), UriError> {
        let text = || String::from_utf8(value.to_vec()).map_err(|_| UriError::Form);
        match name {
            "token" => set(&mut self.token, "token", text()?),
            "serial" => set(&mut self.serial, "serial", text()?),
            "manufacturer" => set(&mut self.manufacturer, "manufacturer", text()?),
            "model" => set(&mut self.model, "model", text()?),
            "object" => set(&mut self.object, "object", text()?),
            "id" => set(&mut self.id, "id", value.to_vec()),
            "x-root" => set(&mut self.root, "x-root", text()?.into()),
            "module-path" if !self.module.as_os_str().is_empty() => Err(UriError::Twice("module-path")),
            "module-path" => {
                self.module = text()?.into();
                Ok(())
            }
            "type" if matches!(value, b"private" | b"cert") => Ok(()),
            "pin-value" => Err(UriError::Pin("pin-value")),
            "pin-source" => Err(UriError::Pin("pin-source")),
            // Never the value: it may be a secret under a misspelt name.
            _ => Err(UriError::Unknown(name.chars().filter(char::is_ascii_graphic).take(40).collect())),
        }
    }
}

fn set<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), UriError> {
    if place.replace(value).is_some() { Err(UriError::Twice(name)) } else { Ok(()) }
}

impl FromStr for CardUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("pkcs11:").filter(|rest| rest.len() <= MAX_URI).ok_or(UriError::Form)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::of_token(Path::new(""), "");
        uri.token = None;
        for part in path.split(';').chain(query.split('&')).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(UriError::Form)?;
            uri.take(name, &unescape(value)?)?;
        }
        if uri.module.as_os_str().is_empty() { Err(UriError::NoModule) } else { Ok(uri) }
    }
}

impl fmt::Display for CardUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = [
            ("token", &self.token),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("object", &self.object),
        ];
        f.write_str("pkcs11:")?;
        let mut between = "";
        for (name, value) in path {
            if let Some(value) = value {
                write!(f, "{between}{name}={}", escape(value.as_bytes()))?;
                between = ";";
            }
        }
        if let Some(id) = &self.id {
            write!(f, "{between}id=")?;
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        write!(f, "?module-path={}", escape(self.module.to_string_lossy().as_bytes()))?;
        match &self.root {
            Some(root) => write!(f, "&x-root={}", escape(root.to_string_lossy().as_bytes())),
            None => Ok(()),
        }
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn unescape(text: &str) -> Result<Vec<u8>, UriError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or(UriError::Form)?, rest.next().ok_or(UriError::Form)?];
        let mut decoded = [0];
        hex::decode_to_slice(digits, &mut decoded).map_err(|_| UriError::Form)?;
        bytes.push(decoded[0]);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let text =
            "pkcs11:token=Anna%20V;serial=12ab;object=a%3Bb;id=%01%FF?module-path=/usr/lib/x.so&x-root=/etc/root.pem";
        let uri: CardUri = text.parse().unwrap();
        assert_eq!((uri.token.as_deref(), uri.object.as_deref()), (Some("Anna V"), Some("a;b")));
        assert_eq!((uri.id.as_deref(), uri.module.as_path()), (Some(&[1, 0xff][..]), Path::new("/usr/lib/x.so")));
        assert_eq!(uri.to_string(), text);
        assert_eq!(uri.to_string().parse(), Ok(uri));
        let other: CardUri = "pkcs11:type=private?module-path=x.so".parse().unwrap();
        assert_eq!(other.to_string(), "pkcs11:?module-path=x.so");
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_pin_never_repeated() {
        for (text, wanted) in [
            ("", UriError::Form),
            ("file:/x", UriError::Form),
            ("pkcs11:token=a", UriError::NoModule),
            ("pkcs11:token?module-path=x", UriError::Form),
            ("pkcs11:token=%2?module-path=x", UriError::Form),
            ("pkcs11:token=%ff?module-path=x", UriError::Form),
            ("pkcs11:token=%zz?module-path=x", UriError::Form),
            ("pkcs11:token=a;token=b?module-path=x", UriError::Twice("token")),
            ("pkcs11:?module-path=x&module-path=y", UriError::Twice("module-path")),
            ("pkcs11:token=a?module-path=x&pin-value=1234", UriError::Pin("pin-value")),
            ("pkcs11:token=a?pin-source=file:/pin", UriError::Pin("pin-source")),
            ("pkcs11:token=a?module-path=x&pinvalue=1234", UriError::Unknown("pinvalue".into())),
            ("pkcs11:type=secret-key?module-path=x", UriError::Unknown("type".into())),
        ] {
            let error = text.parse::<CardUri>().unwrap_err();
            assert_eq!(error, wanted, "{text}");
            assert!(!error.to_string().contains("1234"));
        }
        assert_eq!(format!("pkcs11:?module-path={}", "x".repeat(5000)).parse::<CardUri>(), Err(UriError::Form));
    }
}
