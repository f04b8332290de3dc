"""Keep the library's copy of role versions and of API clients' names, as it is kept of people and teams."""

from alembic import op

revision = "0002"
down_revision = "0001"

CLIENTS = """
CREATE OR REPLACE FUNCTION copy_api_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO principals (id, kind, client_id, display_name, epoch, active, version)
    VALUES (NEW.id, 'machine', NEW.client_id, NEW.name, NEW.epoch, NEW.state = 'active', NEW.event_no)
    ON CONFLICT (id) DO UPDATE SET
        client_id = EXCLUDED.client_id, display_name = EXCLUDED.display_name, epoch = EXCLUDED.epoch,
        active = EXCLUDED.active, version = EXCLUDED.version;
    RETURN NULL;
END $$;
UPDATE principals SET client_id = api_clients.client_id FROM api_clients WHERE api_clients.id = principals.id;
"""
ROLES = """
CREATE FUNCTION copy_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO role_versions (name, role_id, role_version, version)
    VALUES (NEW.name, NEW.id, NEW.role_version, NEW.event_no)
    ON CONFLICT (name) DO UPDATE SET
        role_id = EXCLUDED.role_id, role_version = EXCLUDED.role_version, version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER roles_copy AFTER INSERT OR UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION copy_role();
INSERT INTO role_versions (name, role_id, role_version, version)
SELECT DISTINCT ON (name) name, id, role_version, event_no FROM roles ORDER BY name, id DESC;
"""
WITHOUT_CLIENT_IDS = """
CREATE OR REPLACE FUNCTION copy_api_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO principals (id, kind, display_name, epoch, active, version)
    VALUES (NEW.id, 'machine', NEW.name, NEW.epoch, NEW.state = 'active', NEW.event_no)
    ON CONFLICT (id) DO UPDATE SET
        display_name = EXCLUDED.display_name, epoch = EXCLUDED.epoch, active = EXCLUDED.active,
        version = EXCLUDED.version;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    op.execute(CLIENTS)
    op.execute(ROLES)


def downgrade() -> None:
    op.execute("DROP TRIGGER roles_copy ON roles; DROP FUNCTION copy_role(); DELETE FROM role_versions")
    op.execute(WITHOUT_CLIENT_IDS)
