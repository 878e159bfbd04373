//! Shapes of `acm`, generated: do not edit.

shape!(AddTagsToCertificateRequest {
    certificate_arn: String,
    tags: Vec<Tag>,
});

shape!(CertificateDetail {
    certificate_arn: Option<String>,
    domain_name: Option<String>,
    subject_alternative_names: Vec<String>,
    managed_by: Option<String>,
    domain_validation_options: Vec<DomainValidation>,
    serial: Option<String>,
    subject: Option<String>,
    issuer: Option<String>,
    created_at: Option<base::Time>,
    issued_at: Option<base::Time>,
    imported_at: Option<base::Time>,
    status: Option<String>,
    revoked_at: Option<base::Time>,
    revocation_reason: Option<String>,
    not_before: Option<base::Time>,
    not_after: Option<base::Time>,
    key_algorithm: Option<String>,
    signature_algorithm: Option<String>,
    in_use_by: Vec<String>,
    failure_reason: Option<String>,
    r#type: Option<String>,
    renewal_summary: Option<RenewalSummary>,
    key_usages: Vec<KeyUsage>,
    extended_key_usages: Vec<ExtendedKeyUsage>,
    certificate_authority_arn: Option<String>,
    renewal_eligibility: Option<String>,
    options: Option<CertificateOptions>,
    update_summary: Option<UpdateSummary>,
    certificate_key_pair_origin: Option<String>,
    acme_endpoint_arn: Option<String>,
    acme_account_id: Option<String>,
});

shape!(CertificateOptions {
    certificate_transparency_logging_preference: Option<String>,
    export: Option<String>,
    validation_method: Option<String>,
});

shape!(CertificateSummary {
    certificate_arn: Option<String>,
    domain_name: Option<String>,
    subject_alternative_name_summaries: Vec<String>,
    has_additional_subject_alternative_names: Option<bool>,
    status: Option<String>,
    r#type: Option<String>,
    key_algorithm: Option<String>,
    key_usages: Vec<String>,
    extended_key_usages: Vec<String>,
    export_option: Option<String>,
    in_use: Option<bool>,
    exported: Option<bool>,
    renewal_eligibility: Option<String>,
    not_before: Option<base::Time>,
    not_after: Option<base::Time>,
    created_at: Option<base::Time>,
    issued_at: Option<base::Time>,
    imported_at: Option<base::Time>,
    revoked_at: Option<base::Time>,
    managed_by: Option<String>,
    certificate_key_pair_origin: Option<String>,
});

shape!(DeleteCertificateRequest { certificate_arn: String });

shape!(DescribeCertificateRequest { certificate_arn: String });

shape!(DescribeCertificateResponse {
    certificate: Option<CertificateDetail>,
});

shape!(DomainValidation {
    domain_name: String,
    validation_emails: Vec<String>,
    validation_domain: Option<String>,
    validation_status: Option<String>,
    resource_record: Option<ResourceRecord>,
    http_redirect: Option<HttpRedirect>,
    validation_method: Option<String>,
});

shape!(DomainValidationMethodUpdateSummary {
    from: Option<String>,
    to: Option<String>,
});

shape!(DomainValidationOption { domain_name: String, validation_domain: String });

shape!(ExportCertificateRequest {
    certificate_arn: String,
    passphrase: Vec<u8>,
});

shape!(ExportCertificateResponse {
    certificate: Option<String>,
    certificate_chain: Option<String>,
    private_key: Option<String>,
});

shape!(ExtendedKeyUsage {
    name: Option<String>,
    oid: Option<String>,
});

shape!(Filters {
    extended_key_usage: Vec<String>,
    key_usage: Vec<String>,
    key_types: Vec<String>,
    export_option: Option<String>,
    managed_by: Option<String>,
});

shape!(GetCertificateRequest { certificate_arn: String });

shape!(GetCertificateResponse {
    certificate: Option<String>,
    certificate_chain: Option<String>,
});

shape!(HttpRedirect {
    redirect_from: Option<String>,
    redirect_to: Option<String>,
});

shape!(ImportCertificateRequest {
    certificate_arn: Option<String>,
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    certificate_chain: Option<Vec<u8>>,
    tags: Vec<Tag>,
});

shape!(ImportCertificateResponse {
    certificate_arn: Option<String>,
});

shape!(KeyUsage {
    name: Option<String>,
});

shape!(ListCertificatesRequest {
    certificate_statuses: Vec<String>,
    certificate_key_pair_origins: Vec<String>,
    includes: Option<Filters>,
    next_token: Option<String>,
    max_items: Option<i64>,
    sort_by: Option<String>,
    sort_order: Option<String>,
});

shape!(ListCertificatesResponse {
    next_token: Option<String>,
    certificate_summary_list: Vec<CertificateSummary>,
});

shape!(ListTagsForCertificateRequest { certificate_arn: String });

shape!(ListTagsForCertificateResponse {
    tags: Vec<Tag>,
});

shape!(RemoveTagsFromCertificateRequest {
    certificate_arn: String,
    tags: Vec<Tag>,
});

shape!(RenewCertificateRequest { certificate_arn: String });

shape!(RenewalSummary {
    renewal_status: String,
    domain_validation_options: Vec<DomainValidation>,
    renewal_status_reason: Option<String>,
    updated_at: base::Time,
});

shape!(RequestCertificateRequest {
    domain_name: String,
    validation_method: Option<String>,
    subject_alternative_names: Vec<String>,
    idempotency_token: Option<String>,
    domain_validation_options: Vec<DomainValidationOption>,
    options: Option<CertificateOptions>,
    certificate_authority_arn: Option<String>,
    tags: Vec<Tag>,
    key_algorithm: Option<String>,
    managed_by: Option<String>,
});

shape!(RequestCertificateResponse {
    certificate_arn: Option<String>,
});

shape!(ResendValidationEmailRequest { certificate_arn: String, domain: String, validation_domain: String });

shape!(ResourceRecord { name: String, r#type: String, value: String });

shape!(Tag {
    key: String,
    value: Option<String>,
});

shape!(UpdateCertificateOptionsRequest { certificate_arn: String, options: CertificateOptions });

shape!(UpdateSummary {
    status: Option<String>,
    r#type: Option<String>,
    domain_validation_method_update_summary: Option<DomainValidationMethodUpdateSummary>,
    requested_at: Option<base::Time>,
    updated_at: Option<base::Time>,
});

/// Operations, for registration and for typed calls.
pub mod ops {
    operation!("acm" AddTagsToCertificate super::AddTagsToCertificateRequest => ());
    operation!("acm" DeleteCertificate super::DeleteCertificateRequest => ());
    operation!("acm" DescribeCertificate super::DescribeCertificateRequest => super::DescribeCertificateResponse);
    operation!("acm" ExportCertificate super::ExportCertificateRequest => super::ExportCertificateResponse);
    operation!("acm" GetCertificate super::GetCertificateRequest => super::GetCertificateResponse);
    operation!("acm" ImportCertificate super::ImportCertificateRequest => super::ImportCertificateResponse);
    operation!("acm" ListCertificates super::ListCertificatesRequest => super::ListCertificatesResponse);
    operation!("acm" ListTagsForCertificate super::ListTagsForCertificateRequest => super::ListTagsForCertificateResponse);
    operation!("acm" RemoveTagsFromCertificate super::RemoveTagsFromCertificateRequest => ());
    operation!("acm" RenewCertificate super::RenewCertificateRequest => ());
    operation!("acm" RequestCertificate super::RequestCertificateRequest => super::RequestCertificateResponse);
    operation!("acm" ResendValidationEmail super::ResendValidationEmailRequest => ());
    operation!("acm" UpdateCertificateOptions super::UpdateCertificateOptionsRequest => ());
}
