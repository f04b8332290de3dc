"""Create technicians, work orders with what was heard of their sales orders, and appointments."""

from alembic import op

revision = "0001"
down_revision = None

AGGREGATE = """
    id uuid NOT NULL,
    version bigint NOT NULL,
    event_no bigint NOT NULL,
    root_correlation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
"""

TECHNICIANS = f"""
CREATE SEQUENCE technician_numbers AS integer;
CREATE TABLE technicians (
    {AGGREGATE}
    user_id uuid NOT NULL,
    technician_no integer NOT NULL,
    display_name text NOT NULL,
    time_zone text NOT NULL,
    skills jsonb NOT NULL,
    active boolean NOT NULL,
    user_active boolean NOT NULL,
    user_version bigint NOT NULL,
    CONSTRAINT pk_technicians PRIMARY KEY (id),
    CONSTRAINT uq_technicians_user_id UNIQUE (user_id),
    CONSTRAINT uq_technicians_technician_no UNIQUE (technician_no),
    CONSTRAINT ck_technicians_active CHECK (user_active OR NOT active)
);
"""
WORK_ORDERS = f"""
CREATE SEQUENCE work_order_numbers;
CREATE TABLE work_orders (
    {AGGREGATE}
    number text NOT NULL,
    kind text NOT NULL CONSTRAINT ck_work_orders_kind
        CHECK (kind IN ('install', 'repair', 'maintenance', 'inspection', 'collection', 'survey')),
    state text NOT NULL CONSTRAINT ck_work_orders_state
        CHECK (state IN ('unscheduled', 'scheduled', 'in_progress', 'completed', 'cancelled')),
    priority text NOT NULL CONSTRAINT ck_work_orders_priority
        CHECK (priority IN ('emergency', 'high', 'normal', 'low')),
    subject text NOT NULL,
    source_kind text NOT NULL CONSTRAINT ck_work_orders_source_kind
        CHECK (source_kind IN ('order_line', 'case', 'manual')),
    source_id uuid,
    source_line_id uuid,
    account_id uuid NOT NULL,
    contact_id uuid,
    owner_id uuid,
    asset_id uuid,
    product_id uuid,
    opportunity_id uuid,
    crew_ids uuid[] NOT NULL,
    site jsonb NOT NULL,
    reported_at timestamptz NOT NULL,
    due_at timestamptz,
    due_kind text NOT NULL CONSTRAINT ck_work_orders_due_kind CHECK (due_kind IN ('arrive', 'finish')),
    earliest_at timestamptz,
    demand jsonb NOT NULL,
    holds jsonb NOT NULL,
    lines jsonb NOT NULL,
    round_no integer NOT NULL,
    needs_follow_up boolean NOT NULL,
    first_time_fix boolean,
    started_at timestamptz,
    completed_at timestamptz,
    closed_out_at timestamptz,
    reopened_at timestamptz,
    end_reason text,
    attention jsonb NOT NULL,
    CONSTRAINT pk_work_orders PRIMARY KEY (id),
    CONSTRAINT uq_work_orders_number UNIQUE (number),
    CONSTRAINT ck_work_orders_due_at CHECK (due_at >= reported_at)
);
-- A source has one work order that stands; an order line that is submitted again gets another after a cancelled one.
CREATE UNIQUE INDEX uq_work_orders_source ON work_orders (source_kind, source_id, source_line_id) NULLS NOT DISTINCT
    WHERE source_kind <> 'manual' AND state <> 'cancelled';
CREATE INDEX ix_work_orders_source_id ON work_orders (source_id);
CREATE INDEX ix_work_orders_account_id ON work_orders (account_id);
CREATE INDEX ix_work_orders_created_at ON work_orders (created_at, id);
CREATE INDEX ix_work_orders_crew_ids ON work_orders USING gin (crew_ids);
CREATE INDEX ix_work_orders_open ON work_orders (priority, due_at)
    WHERE state IN ('unscheduled', 'scheduled', 'in_progress');
CREATE TABLE orders_heard (
    order_id uuid NOT NULL,
    submitted_no integer NOT NULL,
    acknowledged_no integer NOT NULL,
    ended_no integer NOT NULL,
    end_code text,
    end_text text,
    confirmed jsonb NOT NULL,
    shipped jsonb NOT NULL,
    CONSTRAINT pk_orders_heard PRIMARY KEY (order_id)
);
"""
APPOINTMENTS = f"""
CREATE TABLE appointments (
    {AGGREGATE}
    work_order_id uuid NOT NULL CONSTRAINT fk_appointments_work_order_id REFERENCES work_orders,
    work_order_number text NOT NULL,
    account_id uuid NOT NULL,
    contact_id uuid,
    owner_id uuid,
    order_id uuid,
    case_id uuid,
    time_zone text NOT NULL,
    crew_ids uuid[] NOT NULL,
    visit_no integer NOT NULL CONSTRAINT ck_appointments_visit_no CHECK (visit_no > 0),
    round_no integer NOT NULL,
    state text NOT NULL CONSTRAINT ck_appointments_state CHECK (state IN ('scheduled', 'en_route', 'in_progress',
        'on_break', 'completed', 'partially_completed', 'failed', 'cancelled')),
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    promised_from timestamptz,
    promised_to timestamptz,
    told_from timestamptz,
    told_to timestamptz,
    changed_at timestamptz NOT NULL,
    departed_at timestamptz,
    arrived_at timestamptz,
    finished_at timestamptz,
    labour_s integer NOT NULL,
    travel_s integer NOT NULL,
    outcome text,
    reason text,
    next_needs text,
    override_reason text,
    CONSTRAINT pk_appointments PRIMARY KEY (id),
    CONSTRAINT ck_appointments_end_at CHECK (end_at > start_at)
);
CREATE INDEX ix_appointments_work_order_id ON appointments (work_order_id);
CREATE INDEX ix_appointments_account_id ON appointments (account_id);
CREATE INDEX ix_appointments_start_at ON appointments (start_at, id);
CREATE INDEX ix_appointments_created_at ON appointments (created_at, id);
CREATE INDEX ix_appointments_crew_ids ON appointments USING gin (crew_ids);
CREATE TABLE appointment_assignees (
    appointment_id uuid NOT NULL CONSTRAINT fk_appointment_assignees_appointment_id REFERENCES appointments,
    technician_id uuid NOT NULL CONSTRAINT fk_appointment_assignees_technician_id REFERENCES technicians,
    technician_no integer NOT NULL,
    user_id uuid NOT NULL,
    first_name text NOT NULL,
    role text NOT NULL CONSTRAINT ck_appointment_assignees_role CHECK (role IN ('lead', 'helper')),
    busy tstzrange NOT NULL,
    live boolean NOT NULL,
    underway boolean NOT NULL,
    CONSTRAINT pk_appointment_assignees PRIMARY KEY (appointment_id, technician_id),
    -- Nobody is at two places at once. A range of one number stands for the technician: ranges can be compared with
    -- && in a gist index without any extension.
    CONSTRAINT ex_appointment_assignees_busy
        EXCLUDE USING gist (int4range(technician_no, technician_no, '[]') WITH &&, busy WITH &&) WHERE (live)
);
CREATE UNIQUE INDEX uq_appointment_assignees_underway ON appointment_assignees (technician_no) WHERE underway;
CREATE INDEX ix_appointment_assignees_technician_id ON appointment_assignees (technician_id);
CREATE TABLE appointment_status_changes (
    id uuid NOT NULL,
    appointment_id uuid NOT NULL CONSTRAINT fk_appointment_status_changes_appointment_id REFERENCES appointments,
    from_state text,
    to_state text NOT NULL,
    effective_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    actor text NOT NULL,
    CONSTRAINT pk_appointment_status_changes PRIMARY KEY (id)
);
CREATE INDEX ix_appointment_status_changes_appointment_id ON appointment_status_changes (appointment_id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER appointment_status_changes_are_kept BEFORE UPDATE OR DELETE ON appointment_status_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    for statement in (TECHNICIANS, WORK_ORDERS, APPOINTMENTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE appointment_status_changes, appointment_assignees, appointments, orders_heard, work_orders,"
        " technicians; DROP FUNCTION refuse_change; DROP SEQUENCE technician_numbers, work_order_numbers"
    )
