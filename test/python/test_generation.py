# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operators of com.microsoft that generate tokens: beside a search step by step with the same decoder in numpy, and
beside ONNX Runtime."""
import unittest

import numpy as np
from beside import reference
from onnx import TensorProto, helper, numpy_helper, parser

import hone

WORDS, WIDTH, PLACES, PAD = 23, 8, 40, 1
LOWEST = np.finfo(np.float32).min


class Decoder:
    """One layer of attention over all tokens so far, those of the mask: as a graph, and step by step."""

    def __init__(self, seed, last=False):
        random = np.random.default_rng(seed)
        self.last = last  # whether the graph returns only the last position
        self.prefix = f"d{seed}_"
        self.words = random.standard_normal((WORDS, WIDTH)).astype(np.float32)
        self.places = random.standard_normal((PLACES, WIDTH)).astype(np.float32)
        self.keys = random.standard_normal((WIDTH, WIDTH)).astype(np.float32)
        self.back = random.standard_normal((WIDTH, WORDS)).astype(np.float32)

    def step(self, ids, positions, mask, past):
        x = self.words[ids] + self.places[positions]
        present = np.concatenate([past, np.stack([x @ self.keys, x])[:, :, None]], axis=3)
        scores = np.einsum("bsd,btd->bst", x, present[0, :, 0]) + np.where(mask == 0, np.float32(-1e4), np.float32(0))[:, None]
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        seen = np.einsum("bst,btd->bsd", powers / powers.sum(-1, keepdims=True), present[1, :, 0])
        return ((seen + x) @ self.back)[:, -1], present

    def graph(self):
        constants = dict(
            words=self.words, places=self.places, keys=self.keys, back=self.back, low=np.float32(-1e4), none=np.int32(0), zero=np.float32(0),
            head=np.array([0, 2]), begin=np.array([-1]), end=np.array([2**40]), axis=np.array([1]), first=np.array(0), second=np.array(1),
        )  # fmt: skip
        steps = [
            ("Gather", "words input_ids", "word", {}),
            ("Gather", "places position_ids", "place", {}),
            ("Add", "word place", "x", {}),
            ("MatMul", "x keys", "key", {}),
            ("Unsqueeze", "key head", "key5", {}),
            ("Unsqueeze", "x head", "value5", {}),
            ("Concat", "key5 value5", "now", dict(axis=0)),
            ("Concat", "past_0 now", "present_0", dict(axis=3)),
            ("Gather", "present_0 first", "k4", dict(axis=0)),
            ("Gather", "present_0 second", "v4", dict(axis=0)),
            ("Squeeze", "k4 axis", "k", {}),
            ("Squeeze", "v4 axis", "v", {}),
            ("Transpose", "k", "kt", dict(perm=[0, 2, 1])),
            ("MatMul", "x kt", "scores", {}),
            ("Equal", "attention_mask none", "hidden", {}),
            ("Where", "hidden low zero", "bias2", {}),
            ("Unsqueeze", "bias2 axis", "bias", {}),
            ("Add", "scores bias", "masked", {}),
            ("Softmax", "masked", "powers", dict(axis=-1)),
            ("MatMul", "powers v", "seen", {}),
            ("Add", "seen x", "all", {}),
            ("Slice", "all begin end axis", "last", {}),
            ("MatMul", "last back" if self.last else "all back", "logits", {}),
        ]
        interface = ["input_ids", "position_ids", "attention_mask", "past_0", "logits", "present_0"]
        full = lambda name: name if name in interface else self.prefix + name  # noqa: E731
        nodes = [helper.make_node(kind, [full(name) for name in inputs.split()], [full(output)], **more) for kind, inputs, output, more in steps]
        held = [numpy_helper.from_array(np.asarray(value), full(name)) for name, value in constants.items()]
        sizes = {"past_0": [2, "b", 1, "p", WIDTH], "present_0": [2, "b", 1, "t", WIDTH], "logits": ["b", "l", WORDS], "attention_mask": ["b", "t"]}
        types = [
            helper.make_tensor_value_info(name, TensorProto.INT32 if i < 3 else TensorProto.FLOAT, sizes.get(name, ["b", "s"]))
            for i, name in enumerate(interface)
        ]
        return helper.make_graph(nodes, "decoder", types[:4], types[4:], held)


def positions_of(ids, mask):
    counted = (ids != PAD).astype(np.int32)
    positions = (np.cumsum(counted, 1) - 1).astype(np.int32) * counted
    return positions, counted if mask is None else mask, counted.sum(1, dtype=np.int32)


def changed(scores, rows, rules, step):
    """The scores that count for rows of tokens so far."""
    scores, length = scores.copy(), rows.shape[1]
    penalty, size = rules.get("repetition_penalty"), rules.get("no_repeat_ngram_size", 0)
    for row, own in zip(rows, scores):
        if penalty is not None:
            used = np.unique(row)
            own[used] = np.where(own[used] < 0, own[used] * penalty, own[used] / penalty)
        for at in range(length - size + 1 if size else 0):
            if list(row[at : at + size - 1]) == list(row[length - size + 1 :]):
                own[row[at + size - 1]] = LOWEST
    if "vocab_mask" in rules:
        scores[:, rules["vocab_mask"] == 0] = LOWEST
    if "prefix_vocab_mask" in rules and step == 0:
        scores[rules["prefix_vocab_mask"] == 0] = LOWEST
    if length < rules.get("min_length", 0):
        scores[:, rules["end"]] = LOWEST
    return scores


def greedy(first, following, ids, max_length, rules):
    """The rows, padded, and their length at the end of the search."""
    positions, mask, lengths = positions_of(ids, rules.get("attention_mask"))
    past = np.zeros((2, len(ids), 1, 0, WIDTH), np.float32)
    rows, ended, tokens, decoder = ids, np.zeros(len(ids), bool), ids, first
    for step in range(max_length - ids.shape[1]):
        scores, past = decoder.step(tokens, positions, mask, past)
        best = changed(scores, rows, rules, step).argmax(1).astype(np.int32)
        ended |= best == rules["end"]
        best[ended] = PAD
        rows = np.concatenate([rows, best[:, None]], 1)
        if ended.all():
            break
        tokens, positions, decoder = best[:, None], (lengths + step)[:, None], following
        mask = np.concatenate([mask, np.ones_like(best)[:, None]], 1)
    return np.pad(rows, ((0, 0), (0, max_length - rows.shape[1])), constant_values=PAD), rows.shape[1]


ORDER = ["max_length", "min_length", "repetition_penalty", "vocab_mask", "prefix_vocab_mask", "attention_mask"]


def greedy_model(graphs, given, free=True, **attributes):
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["b", "s"] if free else list(given["input_ids"].shape))]
    for name, value in given.items():
        if name != "input_ids":
            shape = [f"{name}_{i}" for i in range(value.ndim)] if free and value.ndim > 1 else list(value.shape)
            inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape))
    names = ["input_ids", *[name if name in given else "" for name in ORDER]]
    node = helper.make_node("GreedySearch", names, ["sequences"], domain="com.microsoft", name="search", **graphs, **attributes)
    result = helper.make_tensor_value_info("sequences", TensorProto.INT32, ["b", "m"])
    graph = helper.make_graph([node], "greedy", inputs, [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)], ir_version=8)


def number(value, kind=np.int32):
    return np.array([value], kind)


class GreedySearchTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(3)
        self.decoder = Decoder(0)
        self.ids = self.random.integers(2, WORDS, (3, 4)).astype(np.int32)

    def search(self, max_length=16, first=None, end=None, size=0, ids=None, free=True, **rules):
        """Compares a search in which the token `end` ends a row; returns the rows."""
        ids = self.ids if ids is None else ids
        end = WORDS if end is None else end
        given = {"input_ids": ids, "max_length": number(max_length)}
        for name, value in rules.items():
            given[name] = value if isinstance(value, np.ndarray) else number(value, np.float32 if name == "repetition_penalty" else np.int32)
        want, length = greedy(first or self.decoder, self.decoder, ids, max_length, dict(rules, end=end, no_repeat_ngram_size=size))
        graphs = {"decoder": self.decoder.graph()}
        if first:
            graphs["init_decoder"] = first.graph()
        model = greedy_model(graphs, given, free, eos_token_id=int(end), pad_token_id=PAD, no_repeat_ngram_size=size)
        rows = hone.compile(model.SerializeToString()).run(given)["sequences"]
        np.testing.assert_array_equal(rows, want)
        # In ONNX Runtime the tokens after the end of all rows are unspecified.
        np.testing.assert_array_equal(reference(model, given)["sequences"][:, :length], want[:, :length])
        return want

    def ending(self):
        """A token that one row has before the others do."""
        rows = self.search()
        return next(token for token in rows[0, 6:] if (rows[1:, 4:] != token).all())

    def test_no_end(self):
        self.search()
        self.search(free=False)

    def test_rows_end_apart(self):
        rows = self.search(end=self.ending())
        self.assertEqual(rows[0, -1], PAD)
        self.assertNotEqual(rows[1, -1], PAD)

    def test_all_rows_end(self):
        rows = self.search(ids=self.ids[:1], end=self.ending())
        self.assertEqual(list(rows[0, -3:]), [PAD] * 3)

    def test_one_token(self):
        self.search(max_length=5)

    def test_min_length(self):
        end = self.ending()
        early, late = self.search(end=end), self.search(end=end, min_length=14)
        self.assertFalse(np.array_equal(early, late))
        self.search(end=end, min_length=100)

    def test_repetition_penalty(self):
        once = self.search()
        for penalty in (1.0, 2.5, 0.5):
            rows = self.search(repetition_penalty=penalty)
            self.assertEqual(np.array_equal(rows, once), penalty == 1.0)

    def test_ngrams(self):
        for size in (1, 2, 3, 30):
            self.search(size=size)
        rows = self.search(size=2)
        for row in rows:
            pairs = list(zip(row[:-1], row[1:]))
            self.assertEqual(len(pairs), len(set(pairs)))

    def test_masks(self):
        rows = self.search()
        mask = np.ones(WORDS, np.int32)
        mask[rows[:, 5]] = 0
        self.search(vocab_mask=mask)
        first = np.ones((3, WORDS), np.int32)
        first[[0, 1, 2], rows[:, 4]] = 0
        self.search(prefix_vocab_mask=first)
        for free in (True, False):
            self.search(prefix_vocab_mask=first, vocab_mask=mask, repetition_penalty=1.7, size=2, min_length=9, end=self.ending(), free=free)

    def test_padded_prompt(self):
        ids = self.ids.copy()
        ids[0, :2] = ids[2, :1] = PAD
        self.search(ids=ids)
        self.search(ids=ids, attention_mask=np.array([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]], np.int32))

    def test_first_decoder(self):
        for last in (False, True):
            self.search(first=Decoder(5, last), repetition_penalty=1.3)

    def test_no_rows(self):
        given = {"input_ids": self.ids[:0], "max_length": number(9)}
        model = greedy_model({"decoder": self.decoder.graph()}, given, eos_token_id=2, pad_token_id=PAD)
        self.assertEqual(hone.compile(model.SerializeToString()).run(given)["sequences"].shape, (0, 9))

    def test_wrong_calls(self):
        good = {"input_ids": self.ids, "max_length": number(9), "repetition_penalty": number(1.5, np.float32), "prefix_vocab_mask": np.ones((3, WORDS), np.int32)}
        compiled = hone.compile(greedy_model({"decoder": self.decoder.graph()}, good, eos_token_id=WORDS, pad_token_id=PAD).SerializeToString())
        rows = compiled.run(good)["sequences"]
        for name, value, message in [
            ("max_length", number(4), "shapes do not fit together"),
            ("max_length", number(-9), "shapes do not fit together"),
            ("repetition_penalty", number(0, np.float32), "shapes do not fit together"),
            ("repetition_penalty", number(np.nan, np.float32), "shapes do not fit together"),
            ("prefix_vocab_mask", np.ones((2, WORDS), np.int32), "sizes do not fit: 2 and 3"),
            ("prefix_vocab_mask", np.ones((3, WORDS + 1), np.int32), f"sizes do not fit: {WORDS + 1} and {WORDS}"),
            ("input_ids", self.ids[:, :0], "shapes do not fit together"),
            ("input_ids", np.full_like(self.ids, WORDS), "out of range"),
            ("max_length", number(PLACES + 5), "out of range"),
        ]:
            with self.subTest(name=name, message=message):
                with self.assertRaisesRegex(hone.RunError, message):
                    compiled.run(good | {name: value})
                np.testing.assert_array_equal(compiled.run(good)["sequences"], rows)

    def refused(self, message, change=None, graphs=None, **attributes):
        given = {"input_ids": self.ids, "max_length": number(9)}
        graph = self.decoder.graph()
        if change:
            change(graph)
        model = greedy_model({"decoder": graph} if graphs is None else graphs, given, **(dict(eos_token_id=2, pad_token_id=PAD) | attributes))
        with self.assertRaisesRegex(hone.CompileError, r"node 'search' \(GreedySearch, domain com.microsoft, opset 1\): " + message):
            hone.compile(model.SerializeToString())

    def test_wrong_models(self):
        def rename(graph):
            graph.input[1].name = "places"

        def widen(graph):
            graph.input[2].type.tensor_type.elem_type = TensorProto.INT64

        def shorten(graph):
            del graph.output[1]

        def hide(graph):
            graph.input[3].type.tensor_type.shape.dim[4].dim_param = "d"

        self.refused("lacks its decoder", graphs={})
        self.refused("needs a decoder whose input 1 is 'position_ids', not 'places'", rename)
        self.refused("needs a decoder whose input 'attention_mask' is int32", widen)
        self.refused("needs a decoder from input_ids", shorten)
        self.refused("needs a decoder whose past is declared", hide)
        self.refused("takes decoders in the form of GPT-2", model_type=1)
        self.refused("has a eos_token_id that is not int32", eos_token_id=2**40)
        self.refused("does not hold: logits have vocab_size elements", vocab_size=WORDS + 1)


BEAM_ORDER = ["max_length", "min_length", "num_beams", "num_return_sequences", "length_penalty", "repetition_penalty", "vocab_mask", "prefix_vocab_mask", "attention_mask"]
FACTORS = ("length_penalty", "repetition_penalty")
# Of an encoder and a decoder in the form of T5; the encoder runs the first step of the decoder, or does not.
ENCODER = """
encoder (int32[b, t] encoder_input_ids, int32[b, t] encoder_attention_mask{more}) => ({outputs}float[b, 2, t, 4] present_key_cross_0, float[b, 2, t, 4] present_value_cross_0)
    <int64[4] split = {{0, 0, 2, 4}}, int64[1] middle = {{1}}, int64[1] end = {{2}}> {{
    x = Gather(words, encoder_input_ids)
    m = Cast<to = 1>(encoder_attention_mask)
    m3 = Unsqueeze(m, end)
    encoder_hidden_states = Mul(x, m3)
    x4 = Reshape(encoder_hidden_states, split)
    present_key_cross_0 = Transpose<perm = [0, 2, 1, 3]>(x4)
    present_value_cross_0 = Neg(present_key_cross_0)
    {steps}
}}"""
# A step on the words `d` and its past.
LOGITS = """    c = ReduceMean<axes = [2]>({cross})
    flat = Constant<value_ints = [0, 1, 8]>()
    c3 = Reshape(c, flat)
    own = ReduceMean<axes = [2]>(present_value_self_0)
    own3 = Reshape(own, flat)
    h = Sum(d, c3, own3)
    logits = MatMul(h, back)"""
FIRST = """
    d = Gather(words, decoder_input_ids)
    d4 = Reshape(d, split)
    present_key_self_0 = Transpose<perm = [0, 2, 1, 3]>(d4)
    present_value_self_0 = Identity(present_key_self_0)
"""
FIRST += LOGITS.format(cross="present_value_cross_0")
NEXT = """
decoder (int32[r, {length}] input_ids, int32[r, t] encoder_attention_mask, float[r, 2, p, 4] past_key_self_0, float[r, 2, p, 4] past_value_self_0,
         float[r, 2, t, 4] past_key_cross_0, float[r, 2, t, 4] past_value_cross_0)
    => (float[r, 1, 23] logits, float[r, 2, q, 4] present_key_self_0, float[r, 2, q, 4] present_value_self_0)
    <int64[4] dsplit = {{0, 0, 2, 4}}, int64[1] from = {{-1}}, int64[1] to = {{4611686018427387904}}, int64[1] middle = {{1}}> {{
    last = Slice(input_ids, from, to, middle)
    d = Gather(words, last)
    d4 = Reshape(d, dsplit)
    now = Transpose<perm = [0, 2, 1, 3]>(d4)
    present_key_self_0 = Concat<axis = 2>(past_key_self_0, now)
    present_value_self_0 = Concat<axis = 2>(past_value_self_0, now)
    {logits}
}}"""


def encoder_decoder(runs_decoder, takes_all=False):
    outputs = "float[b, 1, 23] logits, float[b, t, 8] encoder_hidden_states, float[b, 2, 1, 4] present_key_self_0, float[b, 2, 1, 4] present_value_self_0, "
    more = ", int32[b, 1] decoder_input_ids"
    encoder = ENCODER.format(more=more if runs_decoder else "", outputs=outputs if runs_decoder else "", steps=FIRST if runs_decoder else "")
    return {"encoder": parser.parse_graph(encoder), "decoder": parser.parse_graph(NEXT.format(length="s" if takes_all else 1, logits=LOGITS.format(cross="past_value_cross_0")))}


class BeamSearchTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(3)
        self.ids = self.random.integers(2, WORDS, (3, 4)).astype(np.int32)
        self.words = Decoder(0).words
        self.back = Decoder(0).back

    def model(self, graphs, given, free=True, **attributes):
        inputs = []
        for name, value in given.items():
            shape = [f"{name}_{i}" for i in range(value.ndim)] if free and value.ndim > 1 else list(value.shape)
            inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape))
        names = ["input_ids", *[name if name in given else "" for name in BEAM_ORDER]]
        node = helper.make_node("BeamSearch", names, ["sequences", "scores", "steps"], domain="com.microsoft", name="search", **graphs, **attributes)
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT if i else TensorProto.INT32, sizes)
            for i, (name, sizes) in enumerate((("sequences", ["b", "n", "m"]), ("scores", ["b", "n"]), ("steps", ["t", "b", "k", "w"])))
        ]
        held = [numpy_helper.from_array(self.words, "words"), numpy_helper.from_array(self.back, "back")]
        graph = helper.make_graph([node], "beams", inputs, results, held)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)], ir_version=8)

    def given(self, beams, returned=None, max_length=12, ids=None, **rules):
        given = {"input_ids": self.ids if ids is None else ids, "max_length": number(max_length), "num_beams": number(beams), "num_return_sequences": number(returned or beams)}
        for name, value in (dict(length_penalty=1.0, min_length=0) | rules).items():
            given[name] = value if isinstance(value, np.ndarray) else number(value, np.float32 if name in FACTORS else np.int32)
        return given

    def search(self, graphs, end, beams, returned=None, free=True, start=None, size=0, early=0, **rules):
        given = self.given(beams, returned, **rules)
        attributes = dict(eos_token_id=end, pad_token_id=PAD, no_repeat_ngram_size=size, early_stopping=early)
        if start is not None:
            attributes.update(model_type=1, decoder_start_token_id=start)
        made = self.model(graphs, given, free, **attributes)
        want, got = reference(made, given), hone.compile(made.SerializeToString()).run(given)
        np.testing.assert_array_equal(got["sequences"], want["sequences"])
        np.testing.assert_allclose(got["scores"], want["scores"], rtol=1e-4, atol=1e-5)
        # ONNX Runtime leaves open what it has no step for, and what it looks at for entries that are done.
        self.assertEqual(got["steps"].shape, want["steps"].shape)
        np.testing.assert_allclose(got["steps"][0], want["steps"][0], rtol=1e-4, atol=1e-4)
        if not (got["sequences"][:, :, -1] == PAD).any():
            np.testing.assert_allclose(got["steps"], want["steps"], rtol=1e-4, atol=1e-4)
        return got["sequences"]

    def test_like_gpt(self):
        graphs = {"decoder": Decoder(0).graph()}
        padded = 0
        for end in (4, 13):
            for beams, returned in ((1, 1), (2, 1), (4, 4)):
                rows = self.search(graphs, end, beams, returned)
                padded += (rows[:, :, -1] == PAD).sum()
        self.assertGreater(padded, 0)
        self.search(graphs, 9, 3, free=False)

    def test_rules(self):
        graphs = {"decoder": Decoder(0).graph(), "init_decoder": Decoder(5, last=True).graph()}
        mask, first = np.ones(WORDS, np.int32), np.ones((3, WORDS), np.int32)
        mask[[3, 7]], first[:, 4:9] = 0, 0
        ids = self.ids.copy()
        ids[1, :2] = PAD
        for rules in (
            dict(early=1), dict(length_penalty=0.3), dict(length_penalty=2.0, early=1), dict(length_penalty=-1.0), dict(repetition_penalty=1.6), dict(size=2),
            dict(min_length=9), dict(vocab_mask=mask, prefix_vocab_mask=first), dict(ids=ids), dict(ids=ids, attention_mask=np.array([[1, 1, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1]], np.int32)),
            dict(max_length=5),
        ):  # fmt: skip
            with self.subTest(rules=list(rules)):
                self.search(graphs, 13, 3, 2, **rules)

    def test_like_t5(self):
        for runs_decoder, takes_all in ((True, False), (True, True), (False, False)):
            with self.subTest(runs_decoder=runs_decoder, takes_all=takes_all):
                graphs = encoder_decoder(runs_decoder, takes_all)
                for end in (4, 9):
                    self.search(graphs, end, 3, start=2, early=end % 2)
        ids = self.ids.copy()
        ids[0, [0, 2]] = PAD
        self.search(encoder_decoder(True), 9, 2, 1, start=2, ids=ids, repetition_penalty=1.4, length_penalty=0.7)

    def test_wrong_calls(self):
        good = self.given(3, 2)
        made = self.model({"decoder": Decoder(0).graph()}, good, eos_token_id=9, pad_token_id=PAD)
        compiled = hone.compile(made.SerializeToString())
        rows = compiled.run(good)["sequences"]
        for name, value in (("max_length", 4), ("num_beams", 1), ("num_beams", 0), ("num_beams", -3), ("num_return_sequences", 0), ("num_return_sequences", 4), ("num_beams", 2**31 - 1)):
            with self.subTest(name=name, value=value):
                with self.assertRaises(hone.RunError):
                    compiled.run(good | {name: number(value)})
                np.testing.assert_array_equal(compiled.run(good)["sequences"], rows)

    def test_wrong_models(self):
        graphs = {"decoder": Decoder(0).graph()}
        for message, inside, attributes in (
            ("takes decoders in the form of GPT-2", graphs, dict(model_type=2)),
            ("lacks its encoder or its decoder", graphs, dict(model_type=1)),
            ("needs a decoder_start_token_id", encoder_decoder(True), dict(model_type=1)),
            ("has an encoder whose outputs do not fit", {**encoder_decoder(True), "decoder": encoder_decoder(True)["decoder"]}, dict(model_type=1, decoder_start_token_id=2)),
            ("needs an eos_token_id and a pad_token_id", graphs, dict(eos_token_id=-1)),
        ):
            with self.subTest(message=message):
                if "outputs" in message:
                    del inside["encoder"].output[-1]
                made = self.model(inside, self.given(2), **(dict(eos_token_id=9, pad_token_id=PAD) | attributes))
                with self.assertRaisesRegex(hone.CompileError, message):
                    hone.compile(made.SerializeToString())


if __name__ == "__main__":
    unittest.main()
