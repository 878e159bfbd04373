use base::Fault;
use kernel::{Cx, Registry, Tx};
use shapes::iam::{self as s, ops};

use super::{parts, under};
use crate::server_certificate::{self, ServerCertificate, Upload};
use crate::validate;

pub(super) fn register(registry: &mut Registry) {
    registry.operation::<ops::UploadServerCertificate>(upload);
    registry.operation::<ops::GetServerCertificate>(get);
    registry.operation::<ops::ListServerCertificates>(list);
    registry.operation::<ops::UpdateServerCertificate>(update);
    registry.operation::<ops::DeleteServerCertificate>(delete);
    registry.operation::<ops::TagServerCertificate>(tag);
    registry.operation::<ops::UntagServerCertificate>(untag);
    registry.operation::<ops::ListServerCertificateTags>(list_tags);
}

fn upload(tx: &mut Tx, cx: &Cx, input: s::UploadServerCertificateRequest) -> Result<s::UploadServerCertificateResponse, Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let upload = Upload {
        name: input.server_certificate_name,
        path: input.path,
        body: input.certificate_body,
        key: input.private_key,
        chain: input.certificate_chain,
        tags: validate::tags(input.tags)?,
    };
    let certificate = server_certificate::upload(tx, cx, upload)?;
    Ok(s::UploadServerCertificateResponse {
        server_certificate_metadata: Some(metadata(&certificate)),
        tags: validate::tag_list(&certificate.tags),
    })
}

/// The certificate and those above it; never its key.
fn get(tx: &mut Tx, _: &Cx, input: s::GetServerCertificateRequest) -> Result<s::GetServerCertificateResponse, Fault> {
    let certificate = server_certificate::find(tx, &input.server_certificate_name)?;
    let server_certificate = s::ServerCertificate {
        server_certificate_metadata: metadata(certificate),
        certificate_body: certificate.body.clone(),
        certificate_chain: certificate.chain.clone(),
        tags: validate::tag_list(&certificate.tags),
    };
    Ok(s::GetServerCertificateResponse { server_certificate })
}

fn list(tx: &mut Tx, _: &Cx, input: s::ListServerCertificatesRequest) -> Result<s::ListServerCertificatesResponse, Fault> {
    let mut found: Vec<&ServerCertificate> =
        tx.rows::<ServerCertificate>().filter(|c| under(&c.path, input.path_prefix.as_ref())).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let page = validate::cut(found.into_iter(), |c| c.name.clone(), input.marker, input.max_items)?;
    let (found, is_truncated, marker) = parts(page);
    let server_certificate_metadata_list = found.into_iter().map(metadata).collect();
    Ok(s::ListServerCertificatesResponse { server_certificate_metadata_list, is_truncated, marker })
}

fn update(tx: &mut Tx, cx: &Cx, input: s::UpdateServerCertificateRequest) -> Result<(), Fault> {
    let (name, path) = (input.new_server_certificate_name, input.new_path);
    Ok(server_certificate::rename(tx, cx, &input.server_certificate_name, name, path)?)
}

fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteServerCertificateRequest) -> Result<(), Fault> {
    Ok(server_certificate::delete(tx, &input.server_certificate_name)?)
}

fn tag(tx: &mut Tx, _: &Cx, input: s::TagServerCertificateRequest) -> Result<(), Fault> {
    validate::no_reserved(input.tags.iter().map(|t| t.key.as_str()))?;
    let given = input.tags.into_iter().map(|t| (t.key, t.value));
    server_certificate::change_tags(tx, &input.server_certificate_name, |tags| validate::add_tags(tags, given))?;
    Ok(())
}

fn untag(tx: &mut Tx, _: &Cx, input: s::UntagServerCertificateRequest) -> Result<(), Fault> {
    let keys = input.tag_keys;
    server_certificate::change_tags(tx, &input.server_certificate_name, |tags| validate::remove_tags(tags, &keys))?;
    Ok(())
}

fn list_tags(
    tx: &mut Tx,
    _: &Cx,
    input: s::ListServerCertificateTagsRequest,
) -> Result<s::ListServerCertificateTagsResponse, Fault> {
    let tags = &server_certificate::find(tx, &input.server_certificate_name)?.tags;
    let (tags, is_truncated, marker) = parts(validate::cut_tags(tags, input.marker, input.max_items)?);
    Ok(s::ListServerCertificateTagsResponse { tags, is_truncated, marker })
}

fn metadata(certificate: &ServerCertificate) -> s::ServerCertificateMetadata {
    s::ServerCertificateMetadata {
        path: certificate.path.clone(),
        server_certificate_name: certificate.name.clone(),
        server_certificate_id: certificate.id.clone(),
        arn: certificate.arn.clone(),
        upload_date: Some(certificate.uploaded_at),
        expiration: Some(certificate.expires_at),
    }
}
