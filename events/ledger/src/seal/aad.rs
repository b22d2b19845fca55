//! What a sealed text is bound to: its tenant and what it is the text of. Moved elsewhere, it does not open.
//!
//! Every form is `domain ‖ length of the tenant (one byte) ‖ tenant ‖ id`, so that no two inputs share one.

use promptory_events::{CommandId, CommentId, ContentId, TenantId};

fn bind(domain: &str, tenant: &TenantId, id: &[u8]) -> Vec<u8> {
    let tenant = tenant.as_str().as_bytes();
    let mut out = Vec::with_capacity(domain.len() + 1 + tenant.len() + id.len());
    out.extend_from_slice(domain.as_bytes());
    out.push(u8::try_from(tenant.len()).unwrap_or(u8::MAX)); // a tenant id has at most 63 bytes
    out.extend_from_slice(tenant);
    out.extend_from_slice(id);
    out
}

/// For a content: prompt text, configuration, metadata.
#[must_use]
pub fn content(tenant: &TenantId, content: &ContentId) -> Vec<u8> {
    bind("promptory/content/1", tenant, &content.0)
}

/// For a commit message.
#[must_use]
pub fn message(tenant: &TenantId, command: CommandId) -> Vec<u8> {
    bind("promptory/message/1", tenant, &command.0)
}

/// For a display name: of a principal, or of a tenant.
#[must_use]
pub fn name(tenant: &TenantId, command: CommandId) -> Vec<u8> {
    bind("promptory/name/1", tenant, &command.0)
}

/// For a comment.
#[must_use]
pub fn comment(tenant: &TenantId, comment: CommentId) -> Vec<u8> {
    bind("promptory/comment/1", tenant, &comment.0)
}
