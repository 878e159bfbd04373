//! The operations on stacks and templates.

mod change;
mod look;
mod template;

use kernel::Registry;
use shapes::cloudformation::ops;

use crate::change_set;

pub(crate) use change::{body, is_special, on_failure_named, refuse};
pub(crate) use look::{parameters_shape, tags_shape};

pub(crate) fn register(registry: &mut Registry) {
    registry.operation::<ops::CreateStack>(change::create_stack);
    registry.operation::<ops::UpdateStack>(change::update_stack);
    registry.operation::<ops::DeleteStack>(change::delete_stack);
    registry.operation::<ops::CancelUpdateStack>(change::cancel_update_stack);
    registry.operation::<ops::ContinueUpdateRollback>(change::continue_update_rollback);
    registry.operation::<ops::RollbackStack>(change::rollback_stack);
    registry.operation::<ops::UpdateTerminationProtection>(change::update_termination_protection);
    registry.operation::<ops::DescribeStacks>(look::describe_stacks);
    registry.operation::<ops::ListStacks>(look::list_stacks);
    registry.operation::<ops::DescribeStackEvents>(look::describe_stack_events);
    registry.operation::<ops::DescribeStackResource>(look::describe_stack_resource);
    registry.operation::<ops::DescribeStackResources>(look::describe_stack_resources);
    registry.operation::<ops::ListStackResources>(look::list_stack_resources);
    registry.operation::<ops::ListExports>(look::list_exports);
    registry.operation::<ops::ListImports>(look::list_imports);
    registry.operation::<ops::DescribeAccountLimits>(look::describe_account_limits);
    registry.operation::<ops::GetTemplate>(template::get_template);
    registry.operation::<ops::GetTemplateSummary>(template::get_template_summary);
    registry.operation::<ops::ValidateTemplate>(template::validate_template);
    change_set::register(registry);
}
