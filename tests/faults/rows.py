"""Every row of the table, in the order in which `make faults` runs them."""

from tests.faults import (
    answer_rows,
    cluster_rows,
    combined_rows,
    data_rows,
    kafka_rows,
    killing,
    layout_rows,
    published_rows,
    redis_cluster_rows,
    redis_rows,
    repartition_rows,
    secured_rows,
    sentinel_rows,
    time_rows,
)
from tests.faults.world import Row

ROWS: tuple[Row, ...] = (
    *killing.ROWS,
    *answer_rows.ROWS,
    *redis_rows.ROWS,
    *sentinel_rows.ROWS,
    *published_rows.ROWS,
    *cluster_rows.ROWS,
    *redis_cluster_rows.ROWS,
    *kafka_rows.ROWS,
    *secured_rows.ROWS,
    *data_rows.ROWS,
    *time_rows.ROWS,
    *layout_rows.ROWS,
    *repartition_rows.ROWS,
    *combined_rows.ROWS,
)
