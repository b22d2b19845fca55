#!/usr/bin/env python3
"""What can be told without a server: the readers, the plain model, the digests' form, the bundled data, the bad cases."""

import collections
import hashlib
import json
import random
import sys
import types
import unittest
from pathlib import Path

import bad_cases
import bad_input
import kill_drill
import rollouts
from dataset import History, data_files, key_of, oracle_of, read_lines, rename_free_totals
from history_digest import line_of
from oracle import rename_free
from promptory_client import content_bytes, quote

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "promptory/demo"
# The folders to look at; `./test` says which.
PLACES = [DEMO]


class Keys(unittest.TestCase):
    """Paths of real data become keys."""

    def test_only_control_characters_are_encoded(self):
        self.assertEqual(key_of('x#a,TRUE\r\nb 50% "c"'), 'x#a,TRUE%0D%0Ab 50% "c"')
        self.assertEqual(key_of("a\x85b\x7f"), "a%C2%85b%7F")

    def test_what_is_left_is_nfc(self):
        self.assertEqual(key_of("e\u0301"), "\u00e9")

    def test_a_key_is_one_segment_of_a_path(self):
        self.assertEqual(quote("Movie/Book 下"), "Movie%2FBook%20%E4%B8%8B")


class Data(unittest.TestCase):
    """The data itself, and the model that the server is compared with."""

    def test_the_model_says_what_git_says(self):
        for file in data_files(PLACES):
            with self.subTest(file=file.name):
                lines, (_, oracle) = read_lines(file), oracle_of(file)
                history = History(lines)
                self.assertEqual(history.alive, oracle["totals"]["alive"])
                for point in oracle["points"]:
                    self.assertEqual(history.at(point["time"]).get(key_of(point["path"])), point["content_sha256"])
                totals, authors = rename_free_totals(lines)
                self.assertEqual(totals, oracle["totals"]["rename_free"])
                self.assertEqual(authors, oracle["totals"]["rename_free_per_author"])

    def test_every_content_has_the_hash_that_it_claims(self):
        for file in data_files(PLACES):
            for line in read_lines(file):
                if line["content"] is not None:
                    self.assertEqual(hashlib.sha256(line["content"].encode()).hexdigest(), line["content_sha256"])

    def test_paths_stay_different_as_keys(self):
        for file in data_files(PLACES):
            paths = {line[field] for line in read_lines(file) for field in ("path", "from") if line.get(field)}
            self.assertEqual(len(paths), len({key_of(path) for path in paths}), file.name)

    def test_the_bundled_questions_have_the_answers_that_they_claim(self):
        history = History(read_lines(DEMO / "awesome-slice.jsonl.gz"))
        for question in json.loads((DEMO / "questions.json").read_text()):
            told = history.at(question["as_of"]).get(key_of(question["path"]))
            self.assertEqual(told, question["content_sha256"], question["question"])


class Lines(unittest.TestCase):
    """The history digest's lines."""

    STAMP = {"key": "a/é", "author": "x1", "occurred_at": "2024-01-01T00:00:00Z"}

    def line(self, kind, detail, sha=None):
        return line_of({**self.STAMP, "type": kind, "detail": detail, "index": 7, "recorded_at": "…"}, sha)

    def test_lines_are_canonical_and_hold_no_ids(self):
        head = '{"author":"x1",'
        tail = '"key":"a/é",'
        occurred = '"occurred_at":"2024-01-01T00:00:00Z",'
        self.assertEqual(self.line("prompt.created", {"kind": "text"}), head + tail + '"kind":"text",' + occurred + '"type":"prompt.created"}')
        self.assertEqual(
            self.line("version.added", {"number": 2, "version": "ver_1", "bytes": 1}, "ab"),
            head + '"content_sha256":"ab",' + tail + '"number":2,' + occurred + '"type":"version.added"}',
        )
        self.assertEqual(self.line("prompt.renamed", {"before": "b", "after": "a/é"}), head + '"from":"b",' + tail + occurred + '"type":"prompt.renamed"}')
        self.assertEqual(
            self.line("label.set", {"label": "production", "before": None, "after": 2}),
            head + tail + '"label":"production","number":2,' + occurred + '"type":"label.set"}',
        )

    def test_other_events_are_no_part_of_the_history(self):
        self.assertIsNone(self.line("role.granted", {"principal": "pri_1", "role": "viewer"}))
        self.assertIsNone(self.line("tags.set", {"before": [], "after": ["a"]}))

    def test_a_chat_is_hashed_as_compact_json(self):
        answer = {"kind": "chat", "messages": [{"content": "é\n", "role": "user"}]}
        self.assertEqual(content_bytes(answer).decode(), '[{"role":"user","content":"é\\n"}]')

    def test_a_rename_counts_as_removed_and_added_and_its_text_not_at_all(self):
        def count(kind, names, number=2):
            return rename_free({"type": kind, "detail": {"number": number}}, names)

        self.assertEqual(count("prompt.renamed", ["prompt.renamed", "version.added"]), ["removed", "added"])
        self.assertEqual(count("version.added", ["prompt.renamed", "version.added"]), [])
        self.assertEqual(count("version.added", ["version.added"]), ["changed"])
        self.assertEqual(count("version.added", ["prompt.created", "version.added"], 1), [])


class Rollouts(unittest.TestCase):
    """The contract of rollouts, without the server's code."""

    def test_every_vector_comes_out_the_same(self):
        self.assertGreater(rollouts.check_vectors(json.loads(rollouts.VECTORS.read_text())), 100)

    def test_weights_come_out_and_the_fewest_buckets_move(self):
        steps = json.loads(rollouts.WEIGHTS.read_text())
        rollouts.check_weights(steps)
        worse = {**steps[0], "after": [{"version": 2, "buckets": 1000}, {"version": 1, "buckets": 9000}]}
        rollouts.check_weights([worse])  # as few, though others
        with self.assertRaises(AssertionError):
            rollouts.check_weights([{**steps[1], "after": [{"version": 2, "buckets": 5000}, {"version": 1, "buckets": 5000}]}])


class BadCases(unittest.TestCase):
    """The bad requests can be made, again and again the same."""

    WORLD = types.SimpleNamespace(admin="pk_acme_0_a", 
        owner="pk_bad_0011223344556677_" + "a" * 52, viewer="pk_bad_0011223344556688_" + "a" * 52, revoked="pk_bad_0011223344556699_" + "a" * 52,
        prompt="p/one", prompt_id="prm_" + "2" * 32, operator="pk__system_00_aa", suspended="pk_s_00_aa", suspended_tenant="s", other_prompt="p/other", prompt_segment="p%2Fone", archived_id="prm_" + "1" * 32, other_ledger="0-1", cursor="abcdefgh", idempotency_key="i",
    )

    def test_names_are_unique_and_codes_are_in_the_table(self):
        cases, table = list(bad_cases.all_cases(self.WORLD)), bad_input.problem_table()
        names = collections.Counter(case.name for case in cases)
        self.assertEqual([name for name, count in names.items() if count > 1], [])
        self.assertEqual({code for case in cases for code in case.codes} - set(table), set())

    def test_a_seed_makes_the_same_random_requests(self):
        made = []
        for _ in range(2):
            fuzzer = bad_input.Fuzzer(self.WORLD, random.Random(7))
            made.append([fuzzer.next().raw for _ in range(200)])
        self.assertEqual(*made)


class Acknowledgements(unittest.TestCase):
    """The kill drill sees what is lost."""

    def test_a_command_that_is_not_where_it_was_acknowledged_is_lost(self):
        events = [{"index": 4, "command_id": "c1"}, {"index": 5, "command_id": "c2"}]
        good = {"line": 1, "command_id": "c2", "position": "00ff-5"}
        self.assertEqual(kill_drill.lost(events, [good]), [])
        self.assertEqual(len(kill_drill.lost(events, [{**good, "position": "00ff-4"}, {**good, "position": "00ff-6"}])), 2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        PLACES = [Path(place) for place in sys.argv[1:]]
    unittest.main(argv=sys.argv[:1])
