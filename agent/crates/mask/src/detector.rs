//! What can be looked for, and a choice of it.

use crate::Redactor;

/// One kind of value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Detector {
    /// A PEM block with a private key; without its end, everything after its beginning.
    PrivateKey,
    /// A JSON web token (RFC 7519).
    Jwt,
    /// A key with a prefix that its issuer gives to all of them (AWS, GitHub, Stripe, …).
    ApiKey,
    /// An e-mail address.
    Email,
    /// An IBAN (ISO 13616) whose length fits its country and whose check digits are right.
    Iban,
    /// A payment card number of 13 to 19 digits, in groups or not, whose check digit (Luhn) is right.
    Card,
}

impl Detector {
    /// All of them, in the order in which they look: what one has found is not looked at by the next.
    pub const ALL: [Self; 6] =
        [Self::PrivateKey, Self::Jwt, Self::ApiKey, Self::Email, Self::Iban, Self::Card];

    /// Its name in configuration and in the marks that it leaves.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private_key",
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Card => "card",
        }
    }

    /// The detector with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.name() == name)
    }
}

/// A choice of detectors, each with what to put in the place of what it finds.
#[derive(Clone, Debug, Default)]
pub struct Detectors(Vec<(Detector, Redactor)>);

impl Detectors {
    /// None: everything stays as it is.
    pub fn none() -> Self {
        Self::default()
    }

    /// All of them; each leaves its name in brackets: `[email]`.
    pub fn all() -> Self {
        Detector::ALL.into_iter().fold(Self::none(), |all, detector| all.with(detector, Redactor::Null))
    }

    /// Adds a detector, or replaces its redactor. In the midst of a text, [`Redactor::Null`] leaves the detector's name in
    /// brackets.
    #[must_use]
    pub fn with(mut self, detector: Detector, redactor: Redactor) -> Self {
        self.0.retain(|(other, _)| *other != detector);
        self.0.push((detector, redactor));
        self.0.sort_by_key(|(detector, _)| *detector);
        self
    }

    /// Is there nothing to look for?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order in which they look.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Detector, Redactor)> {
        self.0.iter()
    }
}
