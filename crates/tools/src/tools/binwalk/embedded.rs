//! Embedded files by the embedded search, in a worker.

use std::time::Duration;

use reversecore_analysis::carve::{CarveOptions, CarveReport, carve_watched};
use serde::{Deserialize, Serialize};

use super::{BinwalkReport, Params, Signature};
use crate::embedded::worker::{File, Request, Resident, Stage};
use crate::embedded::{Trouble, Work};
use crate::error::ToolError;
use crate::text::escaped;
use crate::tool::{Answer, Call};

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Carve;

impl Work for Carve {
    type Reply = CarveReport;

    fn request(self) -> Request {
        Request::Carve(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<CarveReport, Trouble> {
        let bytes = file.bytes();
        let mut watch = file.watch(Stage::only("searching for embedded files"));
        Ok(carve_watched(bytes, &CarveOptions::default(), &mut watch))
    }
}

pub(super) async fn run(
    call: &Call<'_>,
    params: &Params,
    timeout: Duration,
) -> Result<Answer<BinwalkReport>, ToolError> {
    let room = params.max_output_size.count();
    let found = call.examine(&params.file_path, timeout, Carve).await?;
    Ok(found.answer(|found| answer(found, room)))
}

fn answer(found: CarveReport, mut room: usize) -> Answer<BinwalkReport> {
    let total = found.objects.len();
    let mut signatures = Vec::new();
    for object in found.objects {
        let description = escaped(&object.description).into_owned();
        // A line of text: offset twice, and what it is.
        let Some(left) = room.checked_sub(description.len() + 32) else {
            break;
        };
        room = left;
        signatures.push(Signature {
            offset: object.offset,
            size: object.size,
            name: escaped(&object.kind).into_owned(),
            confidence: Some(object.confidence),
            description,
        });
    }
    let cut = signatures.len() < total;
    let mut answer = Answer::complete(BinwalkReport { signatures });
    answer.total = u64::try_from(total).ok();
    answer.add_warnings(found.warnings);
    if cut {
        answer.truncate();
        answer
            .warnings
            .push("not all signatures fit `max_output_size`; raise it for the rest".into());
    }
    answer
}
