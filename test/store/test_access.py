"""Who sees and may change what: row level security (migrations/0012_access.up.sql) against a model that walks up the folders, over random trees,
grants, restrictions, moves and memberships; and what must not slip through while somebody restricts.
"""

import random
import threading
import uuid

import psycopg
import pytest

from pg import Tenant, cluster, statement  # noqa: F401

ROLES = {"Owner": "00000000-0000-0000-0000-000000000011", "Admin": "00000000-0000-0000-0000-000000000012",
         "Editor": "00000000-0000-0000-0000-000000000013", "Viewer": "00000000-0000-0000-0000-000000000014"}
SYSTEM = "00000000-0000-0000-0000-000000000001"
MOST = 10_000


class Thing:
    """A folder or document of the model; said: None, or (restricted, {principal: level})."""

    def __init__(self, kind, parent, owner):
        self.id, self.kind, self.parent, self.owner, self.said = str(uuid.uuid4()), kind, parent, owner, None

    def chain(self):
        at = self
        while at:
            yield at
            at = at.parent

    def access(self):
        """None: nothing was said about it or above; else (whether all members have access, {principal: level})."""
        found, levels = False, {}
        for at in self.chain():
            if not at.said:
                continue
            found = True
            restricted, grants = at.said
            for principal, level in [*grants.items(), *([(at.owner, 3)] if restricted else [])]:
                levels[principal] = max(level, levels.get(principal, 0))
            if restricted:
                return False, levels
        return (True, levels) if found else None

    def may(self, person, level, by_grant):
        access = self.access()
        if access is None:
            return by_grant == 0
        everyone, levels = access
        if person.role in ("Owner", "Admin") or everyone and by_grant == 0:
            return True
        return max((levels.get(p, 0) for p in person.principals()), default=0) >= max(level, by_grant)


class Person:
    def __init__(self, id_, role):
        self.id, self.role, self.groups, self.gone = id_, role, set(), False

    def principals(self):
        return set() if self.gone else {self.id, ROLES[self.role], *self.groups}


class World:
    """A tenant in the database and the same in the model."""

    def __init__(self, cluster, seed):
        self.random = random.Random(seed)
        self.tenant = Tenant(cluster, f"access{seed}-{uuid.uuid4().hex[:6]}")
        self.db = self.tenant.db
        self.people = [Person(self.tenant.user, "Owner")] + [self.add_person(role) for role in ("Admin", "Editor", "Editor", "Viewer", "Viewer")]
        self.groups = [str(uuid.uuid4()) for _ in range(2)]
        self.be(self.people[0])
        for i, group in enumerate(self.groups):
            self.db.execute("INSERT INTO member_group (tenant_id, id, name) VALUES (%s, %s, %s)", (self.tenant.id, group, f"group {i}"))
        self.things = []
        for _ in range(8):
            self.add_folder()
        for _ in range(20):
            self.add_document()

    def add_person(self, role):
        id_ = str(uuid.uuid4())
        assert self.tenant.one("SELECT auth_add_member(%s, %s, %s, 'x', %s, %s)", id_, f"{id_}@example.test", role, self.tenant.id, role)
        return Person(id_, role)

    def be(self, person, by_grant=0):
        self.db.execute("SELECT set_config('app.user_id', %s, false), set_config('app.level', %s, false)",
                        (person.id if isinstance(person, Person) else person, str(by_grant)))

    def of(self, kind):
        return [t for t in self.things if t.kind == kind]

    def somewhere(self):
        return self.random.choice([None, *self.of("folder")])

    # what people do

    def add_folder(self):
        f = Thing("folder", self.somewhere(), self.random.choice(self.people[:3]).id)
        if sum(1 for _ in f.chain()) > 12:
            return
        self.db.execute("INSERT INTO folder (tenant_id, id, parent_id, name, depth, created_by) VALUES (%s, %s, %s, %s, 1, %s)",
                        (self.tenant.id, f.id, f.parent and f.parent.id, f.id, f.owner))
        self.things.append(f)

    def add_document(self):
        d = Thing("document", self.somewhere(), self.random.choice(self.people).id)
        self.db.execute("INSERT INTO document (tenant_id, id, folder_id, title, name, mime_type, size, sha256, owner_id)"
                        " VALUES (%s, %s, %s, 't', 'n.txt', 'text/plain', 1, repeat('0', 64), %s)",
                        (self.tenant.id, d.id, d.parent and d.parent.id, d.owner))
        self.things.append(d)

    def say(self):
        t = self.random.choice(self.things)
        principals = [("user", p.id) for p in self.people] + [("group", g) for g in self.groups] + [("role", ROLES[r]) for r in ("Editor", "Viewer")]
        chosen = self.random.sample(principals, self.random.choice([0, 0, 1, 1, 2, 3]))
        levels = [self.random.randint(1, 3) for _ in chosen]
        restricted = self.random.random() < 0.4
        self.db.execute("SELECT access_set(%s, %s, %s, %s::text[], %s::uuid[], %s::int[], %s, %s)",
                        (t.kind, t.id, restricted, [c[0] for c in chosen], [c[1] for c in chosen], levels, self.people[0].id, MOST))
        t.said = (restricted, {c[1]: level for c, level in zip(chosen, levels)}) if restricted or chosen else None

    def move_folder(self):
        folders = self.of("folder")
        if not folders:
            return
        f, target = self.random.choice(folders), self.somewhere()
        if target and f in target.chain():
            with pytest.raises(psycopg.DatabaseError, match="cannot lie in itself"):
                self.db.execute("SELECT folder_place(%s, %s, %s)", (f.id, target.id, MOST))
            return
        if target and sum(1 for _ in target.chain()) > 12:
            return
        self.db.execute("SELECT folder_place(%s, %s, %s)", (f.id, target and target.id, MOST))
        f.parent = target

    def move_document(self):
        d, target = self.random.choice(self.of("document")), self.somewhere()
        self.db.execute("UPDATE document SET folder_id = %s WHERE tenant_id = %s AND id = %s", (target and target.id, self.tenant.id, d.id))
        d.parent = target

    def join_or_leave(self):
        person, group = self.random.choice(self.people[1:]), self.random.choice(self.groups)
        if group in person.groups:
            self.db.execute("DELETE FROM group_member WHERE tenant_id = %s AND group_id = %s AND user_id = %s", (self.tenant.id, group, person.id))
        else:
            self.db.execute("INSERT INTO group_member (tenant_id, group_id, user_id) VALUES (%s, %s, %s)", (self.tenant.id, group, person.id))
        person.groups ^= {group}

    def delete_folder(self):
        empty = [f for f in self.of("folder") if not any(t.parent is f for t in self.things)]
        if empty:
            f = self.random.choice(empty)
            assert self.db.execute("DELETE FROM folder WHERE tenant_id = %s AND id = %s", (self.tenant.id, f.id)).rowcount == 1
            self.things.remove(f)

    def act(self):
        self.be(self.people[0])
        deed = self.random.choice([self.say] * 5 + [self.move_folder] * 3 + [self.move_document] * 2
                                  + [self.join_or_leave, self.add_folder, self.add_document, self.delete_folder])
        deed()
        return deed.__name__

    # what is compared

    def compare(self, after):
        for person in self.people:
            for by_grant in (0,) if person.role in ("Owner", "Admin") else (0, 1, 2, 3):
                self.be(person, by_grant)
                for level, lock in ((1, ""), (2, " FOR UPDATE")):
                    for kind in ("folder", "document"):
                        seen = {str(row[0]) for row in self.tenant.all(f"SELECT id FROM {kind} WHERE tenant_id = %s{lock}", self.tenant.id)}
                        due = {t.id for t in self.of(kind) if t.may(person, level, by_grant)}
                        assert seen == due, (after, person.role, by_grant, level, kind, len(seen), len(due))
            self.compare_list(person, after)
        self.be(SYSTEM)
        assert self.tenant.one("SELECT count(*) FROM document") == len(self.of("document"))
        self.be("")
        assert self.tenant.one("SELECT count(*) FROM document") == sum(t.access() is None for t in self.of("document"))

    def compare_list(self, person, after):
        """The list along acls, page by page, and what says whether it is taken."""
        if person.role in ("Owner", "Admin"):
            return
        self.be(person)
        due = {t.id for t in self.of("document") if t.may(person, 1, 0)}
        seen, key = [], (None, None)
        cursor = psycopg.RawCursor(self.db)
        while key:
            items, following, total = cursor.execute(statement("get_documents_granted"), ("7", *key, "true", "-created_at", "false", None, None, None)).fetchone()
            seen += [item["id"] for item in items]
            key = following.rsplit("|", 1) if following else None
        assert total == len(due) and len(seen) == len(set(seen)) and set(seen) == due, (after, person.role, len(seen), total, len(due))
        usual = cursor.execute(statement("get_documents"), ("100", None, None, "true", "-created_at", "false", None, None, None)).fetchone()
        assert usual[2] == len(due) and [i["id"] for i in usual[0]] == seen, after
        access = self.tenant.one("SELECT my_access()")
        said = [t for t in self.things if t.said]
        assert (access >= 4) == any(not t.may(person, 1, 0) for t in said), after
        assert access % 4 == max((t.access()[1].get(p, 0) for t in said for p in person.principals()), default=0), after


@pytest.mark.parametrize("seed", range(6))
def test_the_database_sees_what_a_walk_up_the_folders_says(cluster, seed):
    world = World(cluster, seed)
    world.compare("nothing")
    for n in range(60):
        deed = world.act()
        world.compare(f"{n}: {deed}")
    world.db.close()


def test_grants_end_with_whom_they_name(cluster):
    world = World(cluster, 100)
    world.be(world.people[0])
    document = next(d for d in world.of("document") if d.owner in (world.people[0].id, world.people[1].id))
    person, group = world.people[4], world.groups[0]
    world.db.execute("INSERT INTO group_member (tenant_id, group_id, user_id) VALUES (%s, %s, %s)", (world.tenant.id, group, world.people[5].id))
    world.db.execute("SELECT access_set('document', %s, true, '{user,group}', %s::uuid[], '{2,1}', NULL, 100)", (document.id, [person.id, group]))

    def sees(who):
        world.be(who)
        return world.tenant.one("SELECT count(*) FROM document WHERE id = %s", document.id) == 1
    assert sees(person) and sees(world.people[5]) and not sees(world.people[3])
    world.be(world.people[0])
    world.db.execute("UPDATE membership SET removed_at = now() WHERE tenant_id = %s AND user_id = %s", (world.tenant.id, person.id))
    assert not sees(person)
    world.be(world.people[0])
    world.db.execute("UPDATE membership SET removed_at = NULL WHERE tenant_id = %s AND user_id = %s", (world.tenant.id, person.id))
    assert not sees(person), "who comes back begins anew"
    world.be(world.people[0])
    world.db.execute("DELETE FROM member_group WHERE tenant_id = %s AND id = %s", (world.tenant.id, group))
    assert not sees(world.people[5])
    world.be(world.people[0])
    assert world.tenant.one("SELECT count(*) FROM access_grant") == 0
    world.db.close()


def in_the_way(world, first, then):
    """`first` in a transaction that stays open while `then` begins on another connection: it has to wait, and ends after the first has committed."""
    other = psycopg.connect(world.db.info.dsn, autocommit=True)
    other.execute("SELECT set_config('app.tenant_id', %s, false), set_config('app.user_id', %s, false)", (world.tenant.id, world.people[0].id))
    world.be(world.people[0])
    with world.db.transaction():
        first(world.db)
        thread = threading.Thread(target=then, args=(other,))
        thread.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        for _ in range(500):
            if world.db.execute(waits, (other.info.backend_pid,)).fetchone()[0]:
                break
            thread.join(0.02)
        else:
            raise AssertionError("the second did not wait for the first")
    thread.join(10)
    assert not thread.is_alive()
    other.close()


def test_what_is_put_into_a_folder_while_it_is_restricted_is_restricted(cluster):
    world = World(cluster, 101)
    top, inner, document = (str(uuid.uuid4()) for _ in range(3))
    world.be(world.people[0])
    for id_, parent in ((top, None), (inner, top)):
        world.db.execute("INSERT INTO folder (tenant_id, id, parent_id, name, depth) VALUES (%s, %s, %s, %s, 1)", (world.tenant.id, id_, parent, id_))
    in_the_way(world,
               lambda db: db.execute("INSERT INTO document (tenant_id, id, folder_id, title, name, mime_type, size, sha256, owner_id)"
                                     " VALUES (%s, %s, %s, 't', 'n.txt', 'text/plain', 1, repeat('0', 64), %s)",
                                     (world.tenant.id, document, inner, world.people[0].id)),
               lambda db: db.execute("SELECT access_set('folder', %s, true, '{}', '{}', '{}', NULL, 100)", (top,)))
    world.be(world.people[3])
    assert world.tenant.one("SELECT count(*) FROM document WHERE id = %s", document) == 0
    world.be(world.people[1])
    assert world.tenant.one("SELECT acl_id::text FROM document WHERE id = %s", document) == top
    world.db.close()


def test_a_folder_made_while_the_one_above_is_restricted_is_restricted(cluster):
    world = World(cluster, 102)
    top, inner = (str(uuid.uuid4()) for _ in range(2))
    world.be(world.people[0])
    insert = "INSERT INTO folder (tenant_id, id, parent_id, name, depth) VALUES (%s, %s, %s, %s, 1)"
    world.db.execute(insert, (world.tenant.id, top, None, top))
    in_the_way(world, lambda db: db.execute(insert, (world.tenant.id, inner, top, inner)),
               lambda db: db.execute("SELECT access_set('folder', %s, true, '{}', '{}', '{}', NULL, 100)", (top,)))
    world.be(world.people[1])
    assert world.tenant.one("SELECT acl_id::text FROM folder WHERE id = %s", inner) == top
    world.db.close()


def test_one_step_touches_a_bounded_number_of_things(cluster):
    world = World(cluster, 103)
    top = str(uuid.uuid4())
    world.be(world.people[0])
    world.db.execute("INSERT INTO folder (tenant_id, id, name, depth) VALUES (%s, %s, 'top', 1)", (world.tenant.id, top))
    world.db.execute("INSERT INTO document (tenant_id, id, folder_id, title, name, mime_type, size, sha256, owner_id)"
                     " SELECT %s, gen_random_uuid(), %s, 't', 'n.txt', 'text/plain', 1, repeat('0', 64), %s FROM generate_series(1, 30)",
                     (world.tenant.id, top, world.people[0].id))
    restrict = "SELECT access_set('folder', %s, true, '{}', '{}', '{}', NULL, %s)"
    with pytest.raises(psycopg.Error, match="more than 30 folders and documents") as refused:
        world.db.execute(restrict, (top, 30))
    assert refused.value.sqlstate == "DM422" and world.tenant.one("SELECT count(*) FROM acl WHERE id = %s", top) == 0
    world.db.execute(restrict, (top, 31))
    world.be(world.people[3])
    assert world.tenant.one("SELECT count(*) FROM document WHERE folder_id = %s", top) == 0
    world.db.close()


@pytest.mark.parametrize("table", ["acl", "access_grant", "acl_entry"])
def test_the_application_writes_who_has_access_through_the_functions_alone(cluster, table):
    with cluster.connect("dms_app", options=f"-c app.tenant_id={uuid.uuid4()}") as db:
        for deed in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = tenant_id", f"INSERT INTO {table} SELECT * FROM {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(deed)
        for function in ("access_rebuild(NULL, NULL)", "access_apply('folder', NULL, true, 1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"SELECT {function}")
