use base::Fault;
use kernel::{Cx, Tx};
use shapes::elbv2 as s;

use super::cut;
use crate::error::Error;
use crate::trust_store::{self, Place, Revocation, TrustStore};
use crate::{link, tags};

/// Most files that one call may add.
const CONTENTS_MAX: usize = 30;

pub(super) fn create(tx: &mut Tx, cx: &Cx, input: s::CreateTrustStoreInput) -> Result<s::CreateTrustStoreOutput, Fault> {
    let tags = tags::from_user(&input.tags)?;
    let place = Place {
        bucket: input.ca_certificates_bundle_s3_bucket,
        key: input.ca_certificates_bundle_s3_key,
        version: input.ca_certificates_bundle_s3_object_version,
    };
    let arn = trust_store::create(tx, cx, &input.name, &place, tags)?;
    Ok(s::CreateTrustStoreOutput { trust_stores: vec![shape(trust_store::find(tx, &arn)?)] })
}

pub(super) fn modify(tx: &mut Tx, cx: &Cx, input: s::ModifyTrustStoreInput) -> Result<s::ModifyTrustStoreOutput, Fault> {
    let place = Place {
        bucket: input.ca_certificates_bundle_s3_bucket,
        key: input.ca_certificates_bundle_s3_key,
        version: input.ca_certificates_bundle_s3_object_version,
    };
    trust_store::modify(tx, cx, &input.trust_store_arn, &place)?;
    Ok(s::ModifyTrustStoreOutput { trust_stores: vec![shape(trust_store::find(tx, &input.trust_store_arn)?)] })
}

pub(super) fn delete(tx: &mut Tx, _: &Cx, input: s::DeleteTrustStoreInput) -> Result<s::DeleteTrustStoreOutput, Fault> {
    trust_store::delete(tx, &input.trust_store_arn)?;
    Ok(s::DeleteTrustStoreOutput {})
}

pub(super) fn describe(tx: &mut Tx, _: &Cx, input: s::DescribeTrustStoresInput) -> Result<s::DescribeTrustStoresOutput, Fault> {
    if !input.trust_store_arns.is_empty() && !input.names.is_empty() {
        return Err(Error::Validation("You can specify only one of trust store ARNs and names".into()).into());
    }
    let mut rows: Vec<&TrustStore> = Vec::new();
    if input.trust_store_arns.is_empty() && input.names.is_empty() {
        rows.extend(tx.rows::<TrustStore>());
    }
    for arn in &input.trust_store_arns {
        rows.push(trust_store::find(tx, arn)?);
    }
    for name in &input.names {
        rows.push(tx.rows_where::<TrustStore>("name", name).next().ok_or_else(|| trust_store::missing(name))?);
    }
    rows.sort_by(|a, b| a.arn.cmp(&b.arn));
    rows.dedup();
    let page = cut(rows, |t| t.arn.clone(), input.marker.as_deref(), input.page_size)?;
    let trust_stores = page.items.into_iter().map(shape).collect();
    Ok(s::DescribeTrustStoresOutput { trust_stores, next_marker: page.next_token })
}

fn shape(store: &TrustStore) -> s::TrustStore {
    s::TrustStore {
        name: Some(store.name.clone()),
        trust_store_arn: Some(store.arn.clone()),
        status: Some("ACTIVE".into()),
        number_of_ca_certificates: i64::try_from(store.authority_count).ok(),
        total_revoked_entries: i64::try_from(store.entries()).ok(),
    }
}

pub(super) fn add_revocations(
    tx: &mut Tx,
    cx: &Cx,
    input: s::AddTrustStoreRevocationsInput,
) -> Result<s::AddTrustStoreRevocationsOutput, Fault> {
    let arn = input.trust_store_arn;
    trust_store::find(tx, &arn)?;
    if !(1..=CONTENTS_MAX).contains(&input.revocation_contents.len()) {
        return Err(Error::Validation(format!("Between 1 and {CONTENTS_MAX} revocation contents must be specified")).into());
    }
    let mut trust_store_revocations = Vec::with_capacity(input.revocation_contents.len());
    for content in input.revocation_contents {
        let missing = || Error::Validation("A revocation content needs a bucket and a key".into());
        let place = Place {
            bucket: content.s3_bucket.ok_or_else(missing)?,
            key: content.s3_key.ok_or_else(missing)?,
            version: content.s3_object_version,
        };
        let added = trust_store::add_revocation(tx, cx, &arn, &place)?;
        trust_store_revocations.push(s::TrustStoreRevocation {
            trust_store_arn: Some(arn.clone()),
            revocation_id: Some(added.id),
            revocation_type: Some("CRL".into()),
            number_of_revoked_entries: i64::try_from(added.entries).ok(),
        });
    }
    Ok(s::AddTrustStoreRevocationsOutput { trust_store_revocations })
}

pub(super) fn remove_revocations(
    tx: &mut Tx,
    _: &Cx,
    input: s::RemoveTrustStoreRevocationsInput,
) -> Result<s::RemoveTrustStoreRevocationsOutput, Fault> {
    trust_store::remove_revocations(tx, &input.trust_store_arn, &input.revocation_ids)?;
    Ok(s::RemoveTrustStoreRevocationsOutput {})
}

pub(super) fn describe_revocations(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeTrustStoreRevocationsInput,
) -> Result<s::DescribeTrustStoreRevocationsOutput, Fault> {
    let store = trust_store::find(tx, &input.trust_store_arn)?;
    let mut rows: Vec<&Revocation> = Vec::new();
    if input.revocation_ids.is_empty() {
        rows.extend(&store.revocations);
    }
    for id in &input.revocation_ids {
        rows.push(trust_store::find_revocation(store, *id)?);
    }
    rows.sort_by_key(|r| r.id);
    rows.dedup();
    let page = cut(rows, |r| format!("{:019}", r.id), input.marker.as_deref(), input.page_size)?;
    let shape = |revocation: &Revocation| s::DescribeTrustStoreRevocation {
        trust_store_arn: Some(store.arn.clone()),
        revocation_id: Some(revocation.id),
        revocation_type: Some("CRL".into()),
        number_of_revoked_entries: i64::try_from(revocation.entries).ok(),
    };
    let trust_store_revocations = page.items.into_iter().map(shape).collect();
    Ok(s::DescribeTrustStoreRevocationsOutput { trust_store_revocations, next_marker: page.next_token })
}

pub(super) fn describe_associations(
    tx: &mut Tx,
    _: &Cx,
    input: s::DescribeTrustStoreAssociationsInput,
) -> Result<s::DescribeTrustStoreAssociationsOutput, Fault> {
    let all = trust_store::associations(tx, &input.trust_store_arn)?;
    let page = cut(all.iter().collect(), Clone::clone, input.marker.as_deref(), input.page_size)?;
    let shape = |arn: &String| s::TrustStoreAssociation { resource_arn: Some(arn.clone()) };
    let trust_store_associations = page.items.into_iter().map(shape).collect();
    Ok(s::DescribeTrustStoreAssociationsOutput { trust_store_associations, next_marker: page.next_token })
}

pub(super) fn get_bundle(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetTrustStoreCaCertificatesBundleInput,
) -> Result<s::GetTrustStoreCaCertificatesBundleOutput, Fault> {
    trust_store::find(tx, &input.trust_store_arn)?;
    let location = Some(link::give_out(tx, cx, &input.trust_store_arn, None)?);
    Ok(s::GetTrustStoreCaCertificatesBundleOutput { location })
}

pub(super) fn get_revocation(
    tx: &mut Tx,
    cx: &Cx,
    input: s::GetTrustStoreRevocationContentInput,
) -> Result<s::GetTrustStoreRevocationContentOutput, Fault> {
    let store = trust_store::find(tx, &input.trust_store_arn)?;
    trust_store::find_revocation(store, input.revocation_id)?;
    let location = Some(link::give_out(tx, cx, &input.trust_store_arn, Some(input.revocation_id))?);
    Ok(s::GetTrustStoreRevocationContentOutput { location })
}
