"""The model of model/model.safetensors as ONNX files, the shape that torch's exporter gives them, for bench/embed.py. Knows no runtime but
ONNX Runtime's own quantizer."""

import json
import logging

import numpy
import onnx
from onnx import TensorProto, helper

WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536


def read_safetensors(path):
    raw = numpy.memmap(path, "u1", "r")
    n = int.from_bytes(raw[:8].tobytes(), "little")
    header = json.loads(raw[8:8 + n].tobytes())
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]].tobytes(), "<f4").reshape(t["shape"])
            for name, t in header.items() if t["dtype"] == "F32"}


class Graph:
    """Nodes in order; each call returns the name of its one output."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.constants = tensors, [], {}

    def constant(self, name, value):
        self.constants[name] = onnx.numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def weight(self, name, transposed=False):
        return self.constant(name + (".T" if transposed else ""), self.tensors[name].T if transposed else self.tensors[name])

    def __call__(self, kind, *inputs, **attributes):
        out = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def dense(self, x, name):
        return self("Add", self("MatMul", x, self.weight(name + ".weight", transposed=True)), self.weight(name + ".bias"))

    def norm(self, x, name):
        return self("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"), axis=-1, epsilon=1e-12)

    def heads(self, x, order):
        return self("Transpose", self("Reshape", x, self.constant("split", numpy.array([0, 0, HEADS, WIDTH // HEADS], "i8"))), perm=order)


def attention(g, x, mask, prefix):
    q = g.heads(g.dense(x, prefix + "self.query"), [0, 2, 1, 3])
    k = g.heads(g.dense(x, prefix + "self.key"), [0, 2, 3, 1])
    v = g.heads(g.dense(x, prefix + "self.value"), [0, 2, 1, 3])
    scores = g("Div", g("MatMul", q, k), g.constant("scale", numpy.float32((WIDTH // HEADS) ** .5)))
    context = g("MatMul", g("Softmax", g("Add", scores, mask), axis=-1), v)
    merged = g("Reshape", g("Transpose", context, perm=[0, 2, 1, 3]), g.constant("merge", numpy.array([0, 0, WIDTH], "i8")))
    return g.norm(g("Add", g.dense(merged, prefix + "output.dense"), x), prefix + "output.LayerNorm")


def gelu(g, x):
    erf = g("Erf", g("Div", x, g.constant("root2", numpy.float32(2 ** .5))))
    return g("Mul", g("Mul", x, g("Add", erf, g.constant("one", numpy.float32(1)))), g.constant("half", numpy.float32(.5)))


def build(weights, path):
    """input_ids, attention_mask (int64, batch x tokens) into last_hidden_state; the mean and the norm are the caller's."""
    g = Graph(read_safetensors(weights))
    words = g("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    types = g("Gather", g.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    positions = g("Gather", g.weight("embeddings.position_embeddings.weight"), "position_ids")
    x = g.norm(g("Add", g("Add", words, types), positions), "embeddings.LayerNorm")
    wide = g("Unsqueeze", g("Unsqueeze", "attention_mask", g.constant("axis1", numpy.array([1], "i8"))), g.constant("axis2", numpy.array([2], "i8")))
    hidden = g("Sub", g.constant("one_", numpy.float32(1)), g("Cast", wide, to=TensorProto.FLOAT))
    mask = g("Mul", hidden, g.constant("low", numpy.float32(-10000)))
    for i in range(LAYERS):
        prefix = f"encoder.layer.{i}."
        x = attention(g, x, mask, prefix + "attention.")
        inner = gelu(g, g.dense(x, prefix + "intermediate.dense"))
        x = g.norm(g("Add", g.dense(inner, prefix + "output.dense"), x), prefix + "output.LayerNorm")
    g.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask", "token_type_ids")]
    inputs.append(helper.make_tensor_value_info("position_ids", TensorProto.INT64, [1, "tokens"]))
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", WIDTH])
    graph = helper.make_graph(g.nodes, "minilm", inputs, [output], list(g.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def fuse(path, fused):
    """ONNX Runtime's transformer optimizer for BERT: what its manual recommends before quantizing."""
    from onnxruntime.transformers import optimizer
    optimizer.optimize_model(str(path), model_type="bert", num_heads=HEADS, hidden_size=WIDTH, opt_level=0).save_model_to_file(str(fused))


def quantize(path, quantized):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    logging.disable(logging.WARNING)  # it recommends what fuse() did
    quantize_dynamic(path, quantized, weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": TensorProto.FLOAT})
