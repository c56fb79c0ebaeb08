//! What a campaign decides, agreed on before its first launch and kept with its results.

use serde::{Deserialize, Serialize};

use crate::stats::Margin;

/// The `[decision]` table of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    /// The relative difference that matters: smaller ones do not.
    pub margin: Margin,
}
