-- Unknown values: one row a value that who writes it is not known to write, and how often it was seen.
--
-- grain: table_name, column_name, value
-- reads: argocd_application, argocd_application_operation, argocd_application_hydration, promoter_commit_status, promoter_pull_request, promoter_timed_commit_status_environment, kueue_cluster_queue, kueue_workload_admission_check, tekton_pipeline_run, tekton_task_run, kubernetes_event, postgres_benchmark_run, postgres_benchmark_run_instance, postgres_benchmark_resource_lease, postgres_environment_image_build, postgres_evaluation_run, postgres_evaluation_run_item
-- params:
--
-- Such a value is kept as it is; what is decided from the column passes over it. Only columns whose values are a
-- closed list in the controller's API types, or in the code of the benchmark plane, are looked at; reasons are open.
-- A row a version counts each version. An empty value is none.

WITH seen AS (
    SELECT 'argocd_application' AS table_name, 'sync_status' AS column_name, sync_status AS value FROM argocd_application
    UNION ALL
    SELECT 'argocd_application', 'health_status', health_status FROM argocd_application
    UNION ALL
    SELECT 'argocd_application_operation', 'phase', phase FROM argocd_application_operation
    UNION ALL
    SELECT 'argocd_application_hydration', 'phase', phase FROM argocd_application_hydration
    UNION ALL
    SELECT 'promoter_commit_status', 'phase', phase FROM promoter_commit_status
    UNION ALL
    SELECT 'promoter_pull_request', 'state', state FROM promoter_pull_request
    UNION ALL
    SELECT 'promoter_timed_commit_status_environment', 'phase', phase FROM promoter_timed_commit_status_environment
    UNION ALL
    SELECT 'kueue_cluster_queue', 'queueing_strategy', queueing_strategy FROM kueue_cluster_queue
    UNION ALL
    SELECT 'kueue_cluster_queue', 'stop_policy', stop_policy FROM kueue_cluster_queue
    UNION ALL
    SELECT 'kueue_workload_admission_check', 'state', state FROM kueue_workload_admission_check
    UNION ALL
    SELECT 'tekton_pipeline_run', 'condition_status', condition_status FROM tekton_pipeline_run
    UNION ALL
    SELECT 'tekton_task_run', 'condition_status', condition_status FROM tekton_task_run
    UNION ALL
    SELECT 'kubernetes_event', 'type', type FROM kubernetes_event
    UNION ALL
    SELECT 'postgres_benchmark_run', 'status', status FROM postgres_benchmark_run
    UNION ALL
    SELECT 'postgres_benchmark_run_instance', 'status', status FROM postgres_benchmark_run_instance
    UNION ALL
    SELECT 'postgres_benchmark_run_instance', 'inference_status', inference_status FROM postgres_benchmark_run_instance
    UNION ALL
    SELECT 'postgres_benchmark_run_instance', 'evaluation_status', evaluation_status FROM postgres_benchmark_run_instance
    UNION ALL
    SELECT 'postgres_benchmark_resource_lease', 'resource_type', resource_type FROM postgres_benchmark_resource_lease
    UNION ALL
    SELECT 'postgres_benchmark_resource_lease', 'status', status FROM postgres_benchmark_resource_lease
    UNION ALL
    SELECT 'postgres_environment_image_build', 'status', status FROM postgres_environment_image_build
    UNION ALL
    SELECT 'postgres_evaluation_run', 'status', status FROM postgres_evaluation_run
    UNION ALL
    SELECT 'postgres_evaluation_run_item', 'status', status FROM postgres_evaluation_run_item
),

known AS (
    SELECT *
    FROM (
        VALUES
            ('argocd_application', 'sync_status', 'Synced'),
            ('argocd_application', 'sync_status', 'OutOfSync'),
            ('argocd_application', 'sync_status', 'Unknown'),
            ('argocd_application', 'health_status', 'Healthy'),
            ('argocd_application', 'health_status', 'Progressing'),
            ('argocd_application', 'health_status', 'Degraded'),
            ('argocd_application', 'health_status', 'Suspended'),
            ('argocd_application', 'health_status', 'Missing'),
            ('argocd_application', 'health_status', 'Unknown'),
            ('argocd_application_operation', 'phase', 'Running'),
            ('argocd_application_operation', 'phase', 'Terminating'),
            ('argocd_application_operation', 'phase', 'Failed'),
            ('argocd_application_operation', 'phase', 'Error'),
            ('argocd_application_operation', 'phase', 'Succeeded'),
            ('argocd_application_hydration', 'phase', 'Hydrating'),
            ('argocd_application_hydration', 'phase', 'Hydrated'),
            ('argocd_application_hydration', 'phase', 'Failed'),
            ('promoter_commit_status', 'phase', 'pending'),
            ('promoter_commit_status', 'phase', 'success'),
            ('promoter_commit_status', 'phase', 'failure'),
            ('promoter_pull_request', 'state', 'open'),
            ('promoter_pull_request', 'state', 'closed'),
            ('promoter_pull_request', 'state', 'merged'),
            ('promoter_timed_commit_status_environment', 'phase', 'pending'),
            ('promoter_timed_commit_status_environment', 'phase', 'success'),
            ('kueue_cluster_queue', 'queueing_strategy', 'StrictFIFO'),
            ('kueue_cluster_queue', 'queueing_strategy', 'BestEffortFIFO'),
            ('kueue_cluster_queue', 'stop_policy', 'None'),
            ('kueue_cluster_queue', 'stop_policy', 'Hold'),
            ('kueue_cluster_queue', 'stop_policy', 'HoldAndDrain'),
            ('kueue_workload_admission_check', 'state', 'Pending'),
            ('kueue_workload_admission_check', 'state', 'Ready'),
            ('kueue_workload_admission_check', 'state', 'Retry'),
            ('kueue_workload_admission_check', 'state', 'Rejected'),
            ('tekton_pipeline_run', 'condition_status', 'True'),
            ('tekton_pipeline_run', 'condition_status', 'False'),
            ('tekton_pipeline_run', 'condition_status', 'Unknown'),
            ('tekton_task_run', 'condition_status', 'True'),
            ('tekton_task_run', 'condition_status', 'False'),
            ('tekton_task_run', 'condition_status', 'Unknown'),
            ('kubernetes_event', 'type', 'Normal'),
            ('kubernetes_event', 'type', 'Warning'),
            ('postgres_benchmark_run', 'status', 'queued'),
            ('postgres_benchmark_run', 'status', 'inferencing'),
            ('postgres_benchmark_run', 'status', 'evaluating'),
            ('postgres_benchmark_run', 'status', 'completed'),
            ('postgres_benchmark_run', 'status', 'failed'),
            ('postgres_benchmark_run', 'status', 'cancelled'),
            ('postgres_benchmark_run_instance', 'status', 'queued'),
            ('postgres_benchmark_run_instance', 'status', 'inferencing'),
            ('postgres_benchmark_run_instance', 'status', 'inferred'),
            ('postgres_benchmark_run_instance', 'status', 'evaluating'),
            ('postgres_benchmark_run_instance', 'status', 'resolved'),
            ('postgres_benchmark_run_instance', 'status', 'failed'),
            ('postgres_benchmark_run_instance', 'status', 'error'),
            ('postgres_benchmark_run_instance', 'status', 'timeout'),
            ('postgres_benchmark_run_instance', 'status', 'cancelled'),
            ('postgres_benchmark_run_instance', 'inference_status', 'queued'),
            ('postgres_benchmark_run_instance', 'inference_status', 'inferencing'),
            ('postgres_benchmark_run_instance', 'inference_status', 'inferred'),
            ('postgres_benchmark_run_instance', 'inference_status', 'error'),
            ('postgres_benchmark_run_instance', 'inference_status', 'timeout'),
            ('postgres_benchmark_run_instance', 'inference_status', 'cancelled'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'pending'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'evaluating'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'resolved'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'unresolved'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'empty_patch'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'error'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'timeout'),
            ('postgres_benchmark_run_instance', 'evaluation_status', 'cancelled'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'inference_slot'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'openshell_sandbox'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'agent_runtime_slot'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'dapr_workflow_slot'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'evaluator_slot'),
            ('postgres_benchmark_resource_lease', 'resource_type', 'model_slot'),
            ('postgres_benchmark_resource_lease', 'status', 'active'),
            ('postgres_benchmark_resource_lease', 'status', 'released'),
            ('postgres_benchmark_resource_lease', 'status', 'expired'),
            ('postgres_environment_image_build', 'status', 'queued'),
            ('postgres_environment_image_build', 'status', 'building'),
            ('postgres_environment_image_build', 'status', 'validated'),
            ('postgres_environment_image_build', 'status', 'failed'),
            ('postgres_environment_image_build', 'status', 'cancelled'),
            ('postgres_evaluation_run', 'status', 'queued'),
            ('postgres_evaluation_run', 'status', 'running'),
            ('postgres_evaluation_run', 'status', 'grading'),
            ('postgres_evaluation_run', 'status', 'completed'),
            ('postgres_evaluation_run', 'status', 'failed'),
            ('postgres_evaluation_run', 'status', 'cancelled'),
            ('postgres_evaluation_run_item', 'status', 'queued'),
            ('postgres_evaluation_run_item', 'status', 'running'),
            ('postgres_evaluation_run_item', 'status', 'grading'),
            ('postgres_evaluation_run_item', 'status', 'passed'),
            ('postgres_evaluation_run_item', 'status', 'failed'),
            ('postgres_evaluation_run_item', 'status', 'error'),
            ('postgres_evaluation_run_item', 'status', 'cancelled'),
            ('postgres_evaluation_run_item', 'status', 'skipped')
    ) AS listed (table_name, column_name, value)
)

SELECT seen.table_name, seen.column_name, seen.value, count(*) AS row_count
FROM seen
LEFT JOIN known
    ON known.table_name = seen.table_name AND known.column_name = seen.column_name AND known.value = seen.value
WHERE seen.value <> '' AND known.value IS NULL
GROUP BY seen.table_name, seen.column_name, seen.value
ORDER BY row_count DESC, seen.table_name, seen.column_name, seen.value
