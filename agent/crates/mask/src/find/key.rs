//! Keys that show by their prefix who issued them. From the issuers' documentation and the secret scanners' rules
//! (GitHub secret scanning, gitleaks).

use super::{byte, in_token, next_word, run};
use std::ops::Range;

/// Prefixes, and how many bytes of [A-Za-z0-9_-] follow at least.
const PREFIXES: [(&[u8], usize); 45] = [
    (b"AKIA", 16),        // AWS access key
    (b"ASIA", 16),        // AWS temporary access key
    (b"AIza", 35),        // Google API key
    (b"GOCSPX-", 20),     // Google OAuth client secret
    (b"ghp_", 36),        // GitHub personal
    (b"gho_", 36),        // GitHub OAuth
    (b"ghu_", 36),        // GitHub user-to-server
    (b"ghs_", 36),        // GitHub server-to-server
    (b"ghr_", 36),        // GitHub refresh
    (b"github_pat_", 22), // GitHub fine-grained
    (b"glpat-", 20),      // GitLab personal
    (b"gldt-", 20),       // GitLab deploy
    (b"glrt-", 20),       // GitLab runner
    (b"glptt-", 20),      // GitLab trigger
    (b"xoxa-", 10),       // Slack
    (b"xoxb-", 10),
    (b"xoxe-", 10),
    (b"xoxp-", 10),
    (b"xoxr-", 10),
    (b"xoxs-", 10),
    (b"xapp-", 10),
    (b"sk_live_", 16), // Stripe
    (b"sk_test_", 16),
    (b"rk_live_", 16),
    (b"rk_test_", 16),
    (b"whsec_", 16),
    (b"sk-", 20),       // OpenAI, Anthropic, OpenRouter
    (b"gsk_", 40),      // Groq
    (b"xai-", 40),      // xAI
    (b"r8_", 37),       // Replicate
    (b"hf_", 30),       // Hugging Face
    (b"npm_", 36),      // npm
    (b"pypi-AgEI", 50), // PyPI
    (b"dop_v1_", 64),   // DigitalOcean
    (b"doo_v1_", 64),
    (b"shpat_", 32), // Shopify
    (b"shpss_", 32),
    (b"lin_api_", 32),  // Linear
    (b"ntn_", 40),      // Notion
    (b"sbp_", 40),      // Supabase
    (b"tskey-", 20),    // Tailscale
    (b"hvs.", 24),      // Vault; the dot is part of the prefix
    (b"dckr_pat_", 20), // Docker
    (b"PMAK-", 50),     // Postman
    (b"key-", 32),      // Mailgun
];

/// SendGrid has a dot in its key: `SG.`, 22 bytes, a dot, 43 bytes.
const SENDGRID: (&[u8], usize, usize) = (b"SG.", 16, 32);

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = next_word(text, at) {
        at = match end(text, begin) {
            Ok(end) => {
                found.push(begin..end);
                end
            }
            Err(next) => next.max(begin + 1),
        };
    }
}

/// The end of the key that begins at `begin`, or where to look on.
fn end(text: &[u8], begin: usize) -> Result<usize, usize> {
    let rest = text.get(begin..).unwrap_or_default();
    let mut next = begin;
    for (prefix, least) in PREFIXES {
        if rest.starts_with(prefix) {
            match after(text, begin + prefix.len(), least) {
                Ok(end) => return Ok(end),
                Err(at) => next = next.max(at),
            }
        }
    }
    let (prefix, first, second) = SENDGRID;
    if !rest.starts_with(prefix) {
        return Err(next);
    }
    let dot = after(text, begin + prefix.len(), first)?;
    if byte(text, dot) == Some(b'.') { after(text, dot + 1, second) } else { Err(dot) }
}

/// The end of the token that goes on at `at`, if it is long enough and looks random: a key has a digit in it, or letters
/// of both cases, unlike `sk-learn-some-long-package-name`. Otherwise where to look on, so that no token that is
/// long is looked at more than twice.
fn after(text: &[u8], at: usize, least: usize) -> Result<usize, usize> {
    let end = run(text, at, in_token);
    let token = text.get(at..end).unwrap_or_default();
    if token.len() < least {
        return Err(at);
    }
    let mixed = token.iter().any(u8::is_ascii_uppercase) && token.iter().any(u8::is_ascii_lowercase);
    if mixed || token.iter().any(u8::is_ascii_digit) {
        return Ok(end);
    }
    // What begins later in this token has no digits and only one case either; only its last word could be a
    // prefix that goes on behind it.
    let last = token.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    Err(if last == token.len() { end } else { end - last })
}
