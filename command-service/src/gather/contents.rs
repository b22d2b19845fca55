//! Contents, keyed and sealed. One data key a command, so that what one command brought can be erased together.

use promptory_domain::Material;
use promptory_events::{ClaimId, CommandId, IssuerId, IssuerUrl, NameId, PrincipalId, Sealed, TenantId, Term, limits};
use promptory_ledger::{DataKey, KeyStore, Name, seal};
use promptory_platform::problem::Problem;
use promptory_template::chat::is_role;
use promptory_template::variables::is_name;
use serde::Serialize;
use serde_json::{Map, Value};

use super::too_large;
use crate::failure::Failure;
use crate::wire;

/// Seals what one command brings.
pub struct Sealer<'a> {
    keys: &'a KeyStore,
    tenant: &'a TenantId,
    command_id: CommandId,
    key: Option<DataKey>,
    sealed_bytes: usize,
}

impl<'a> Sealer<'a> {
    pub fn new(keys: &'a KeyStore, tenant: &'a TenantId, command_id: CommandId) -> Self {
        Self { keys, tenant, command_id, key: None, sealed_bytes: 0 }
    }

    pub fn sealed_bytes(&self) -> usize {
        self.sealed_bytes
    }

    /// Some content bytes, if they are within their limit.
    pub fn content(&mut self, field: &str, max: usize, bytes: &[u8]) -> Result<Material, Failure> {
        let len = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= max);
        let len = len.ok_or_else(|| too_large(field, bytes.len(), max))?;
        let id = self.keys.content_id(self.tenant, bytes)?;
        let sealed = self.seal(&seal::aad::content(self.tenant, &id), bytes)?;
        Ok(Material { id, bytes: len, sealed })
    }

    /// A JSON object, kept as its compact form with sorted members.
    pub fn json(&mut self, field: &str, object: &Map<String, Value>) -> Result<Material, Failure> {
        self.object(field, object)
    }

    /// The same for anything that is written as an object with sorted members.
    pub fn object(&mut self, field: &str, object: &impl Serialize) -> Result<Material, Failure> {
        let bytes = serde_json::to_vec(object).map_err(|e| Failure::Internal(e.to_string()))?;
        self.content(field, limits::JSON_MAX_BYTES, &bytes)
    }

    /// The text of a content that this command brought.
    pub fn open(&self, content: &Material) -> Result<String, Failure> {
        let aad = seal::aad::content(self.tenant, &content.id);
        let bytes = self.keys.open_sealed(self.tenant, &aad, &content.sealed)?;
        String::from_utf8(bytes).map_err(|_| Failure::Internal("a content is no UTF-8 text".into()))
    }

    pub fn message(&mut self, text: Option<&str>) -> Result<Option<Sealed>, Failure> {
        let aad = seal::aad::message(self.tenant, self.command_id);
        self.text("/message", limits::MESSAGE_MAX_BYTES, &aad, text)
    }

    pub fn name(&mut self, field: &str, text: Option<&str>) -> Result<Option<Sealed>, Failure> {
        let aad = seal::aad::name(self.tenant, self.command_id);
        self.text(field, limits::NAME_MAX_BYTES, &aad, text)
    }

    /// What an issuer calls a group.
    pub fn claim_value(&mut self, value: &str) -> Result<Sealed, Failure> {
        self.seal(&seal::aad::name(self.tenant, self.command_id), value.as_bytes())
    }

    /// The same as a pseudonym.
    pub fn claim(&self, issuer: IssuerId, value: &str) -> Result<ClaimId, Failure> {
        Ok(self.keys.claim(self.tenant, issuer, value)?)
    }

    /// A name of the directory as a pseudonym.
    pub fn directory_name(&self, kind: Name, text: &str) -> Result<NameId, Failure> {
        Ok(self.keys.name(self.tenant, kind, text)?)
    }

    /// What the directory says of somebody or something.
    pub fn profile(&mut self, profile: &Map<String, Value>) -> Result<Sealed, Failure> {
        let bytes = serde_json::to_vec(profile).map_err(|e| Failure::Internal(e.to_string()))?;
        if bytes.len() > limits::JSON_MAX_BYTES {
            return Err(too_large("/profile", bytes.len(), limits::JSON_MAX_BYTES).into());
        }
        self.seal(&seal::aad::name(self.tenant, self.command_id), &bytes)
    }

    /// That the command takes some more bytes of a batch.
    pub fn weighs(&mut self, bytes: usize) {
        self.sealed_bytes += bytes;
    }

    /// The pseudonym of a token's subject.
    pub fn principal(&self, url: &IssuerUrl, audience: &Term, subject: &str) -> Result<PrincipalId, Failure> {
        Ok(self.keys.principal(self.tenant, url, audience, subject)?)
    }

    /// A comment; this command makes its id.
    pub fn comment(&mut self, text: &str) -> Result<Sealed, Failure> {
        if text.len() > limits::MESSAGE_MAX_BYTES {
            return Err(too_large("/text", text.len(), limits::MESSAGE_MAX_BYTES).into());
        }
        self.seal(&seal::aad::comment(self.tenant, self.command_id.comment()), text.as_bytes())
    }

    fn text(&mut self, field: &str, max: usize, aad: &[u8], text: Option<&str>) -> Result<Option<Sealed>, Failure> {
        match text {
            None => Ok(None),
            Some(text) if text.len() > max => Err(too_large(field, text.len(), max).into()),
            Some(text) => self.seal(aad, text.as_bytes()).map(Some),
        }
    }

    fn seal(&mut self, aad: &[u8], bytes: &[u8]) -> Result<Sealed, Failure> {
        let key = match self.key.take() {
            Some(key) => key,
            None => self.keys.take(self.tenant)?,
        };
        let sealed = seal::seal(&key, aad, bytes).map_err(|e| Failure::Internal(e.to_string()))?;
        self.key = Some(key);
        self.sealed_bytes += sealed.ct.len() + 128;
        Ok(sealed)
    }
}

/// A chat as it is stored: compact JSON, `role` before `content`, `type` before `name`.
pub fn chat(messages: &[wire::Message]) -> Result<String, Failure> {
    for (at, message) in messages.iter().enumerate() {
        let wrong = match message {
            wire::Message::Said { role, .. } if !is_role(role) => "a role is 1 to 32 of A-Z, a-z, 0-9, '_' and '-'",
            wire::Message::Placeholder { name, .. } if !is_name(name) => {
                "a placeholder's name is 1 to 64 of A-Z a-z 0-9 _, begins with no digit and is no word of the syntax"
            }
            _ => continue,
        };
        return Err(Problem::field(&format!("/messages/{at}"), wrong).into());
    }
    serde_json::to_string(messages).map_err(|e| Failure::Internal(e.to_string()))
}
