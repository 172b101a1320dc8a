//! Names of clusters, which are also the keys to them: who knows one may read and alter its list.

use std::fmt;
use std::str::FromStr;

/// Bytes of a token.
pub(super) const BYTES: usize = 16;

/// The name of a cluster: 128 bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub(super) [u8; BYTES]);

/// Text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has 32 digits, each of 0 to 9 and a to f")]
pub struct TokenFault;

impl Token {
    /// A token that nobody can guess, from the system's cryptographic generator.
    ///
    /// # Errors
    ///
    /// The system has none.
    pub fn generate() -> Result<Token, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Token(bytes))
    }
}

impl FromStr for Token {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<Token, TokenFault> {
        let digits = text.as_bytes();
        if digits.len() != 2 * BYTES {
            return Err(TokenFault);
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(TokenFault),
        };
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Ok(Token(bytes))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The beginning only: whoever reads it in a log must not be able to use it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}…", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_differ_and_are_read_back() {
        let one = Token::generate().expect("randomness");
        assert_ne!(one, Token::generate().expect("randomness"));
        assert_eq!(one.to_string().len(), 32);
        assert_eq!(one.to_string().parse(), Ok(one));
        assert!(!format!("{one:?}").contains(&one.to_string()));
    }

    proptest! {
        #[test]
        fn text_is_a_token_or_a_fault(text in any::<String>(), digits in "[0-9a-fA-Fg]{31,33}") {
            for text in [text, digits] {
                if let Ok(token) = text.parse::<Token>() {
                    prop_assert_eq!(token.to_string(), text);
                }
            }
        }
    }
}
