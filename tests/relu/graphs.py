"""Network graphs for tests, and path quantities by listing every path."""

import numpy as np

from skfact.relu import NetworkGraph

KINDS = ["linear", "linear", "relu", "add", "maximum", "max_pool"]


def random_graph(seed, weights_seed=None, convert=np.asarray, scale=1.0, n_nodes=9):
    """A random graph, always ending in a linear node; weights from a seed of their own."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(seed if weights_seed is None else weights_seed)
    graph = NetworkGraph(int(rng.integers(1, 4)))
    for number in range(n_nodes):
        # mostly a node that nothing reads yet, so that few nodes lead nowhere
        read = {i for other in graph.nodes for i in other.inputs}
        idle = [other for other in graph.nodes if other.index not in read]
        node = idle[0] if rng.random() < 0.7 else graph.nodes[-1]
        kind = "linear" if number in (0, n_nodes - 1) else KINDS[rng.integers(len(KINDS))]
        if kind == "linear":
            size = int(rng.integers(1, 4))
            w, b = weights.standard_normal((node.size, size)), weights.standard_normal(size)
            factor = scale ** float(weights.choice([-1, 1]))
            graph.linear(node, convert(w * factor), convert(b))
        elif kind == "relu":
            graph.relu(node)
        elif kind == "max_pool":
            groups = [
                rng.permutation(node.size)[: rng.integers(1, node.size + 1)].tolist()
                for _ in range(rng.integers(1, 4))
            ]
            graph.max_pool(node, groups)
        else:
            alike = [other for other in graph.nodes if other.size == node.size]
            getattr(graph, kind)(node, alike[rng.integers(len(alike))])
    return graph


def edges_into(graph, node):
    """(entry of an earlier node, own entry, weight, key of the weight)."""
    for source in node.inputs:
        size = graph.nodes[source].size
        if node.kind == "linear":
            for i in range(size):
                for j in range(node.size):
                    key = node.index, i, j
                    yield (source, i), (node.index, j), float(node.weight[i, j]), key
        elif node.kind == "max_pool":
            for j, group in enumerate(node.groups):
                for i in group:
                    yield (source, i), (node.index, j), 1.0, None
        else:
            for i in range(size):
                yield (source, i), (node.index, i), 1.0, None


def all_paths(graph, include_bias=True):
    """Weight of every path, and the weights and biases that it goes through."""
    arriving = {(0, i): [(1.0, ())] for i in range(graph.input.size)}
    for node in graph.nodes[1:]:
        for j in range(node.size):
            arriving[node.index, j] = []
        for start, end, weight, key in edges_into(graph, node):
            keys = () if key is None else (key,)
            arriving[end] += [(phi * weight, used + keys) for phi, used in arriving[start]]
        if node.kind == "linear" and include_bias:
            for j in range(node.size):
                arriving[node.index, j].append((float(node.bias[j]), ((node.index, None, j),)))
    end = graph.output.index
    return [path for j in range(graph.output.size) for path in arriving[end, j]]


def path_vector(graph, include_bias=True):
    return np.array([weight for weight, _ in all_paths(graph, include_bias)])


def chain(network):
    coefs, intercepts = network
    graph = NetworkGraph(coefs[0].shape[0])
    h = graph.input
    for l, (w, b) in enumerate(zip(coefs, intercepts)):
        h = graph.linear(graph.relu(h) if l else h, w, b)
    return graph


def samples(graph, seed=0, n=20):
    return np.random.default_rng(seed).standard_normal((n, graph.input.size))


def classes_of(graph):
    """Entries that share a scale, by merging sets; the first set is the fixed one."""
    sets = [{(0, i) for i in range(graph.input.size)}]
    sets[0] |= {(graph.output.index, j) for j in range(graph.output.size)}
    for node in graph.nodes[1:]:
        linked = [] if node.kind == "linear" else list(edges_into(graph, node))
        new = [{(node.index, j)} for j in range(node.size)]
        new += [{start, end} for start, end, _, _ in linked]
        for entries in new:
            apart = [s for s in sets if not s & entries]
            merged = entries.union(*(s for s in sets if s & entries))
            sets = [merged, *apart]
    return sorted(sets, key=lambda s: (0, 0) not in s)


def rescaled(graph, seed, draw):
    """All classes multiplied by random factors, by the definition."""
    rng = np.random.default_rng(seed)
    factor = {}
    for number, entries in enumerate(classes_of(graph)):
        c = draw(rng) if number else 1.0
        factor |= dict.fromkeys(entries, c)
    coefs, intercepts = [], []
    for node in graph.nodes:
        if node.kind == "linear":
            before = np.array([factor[node.inputs[0], i] for i in range(node.weight.shape[0])])
            after = np.array([factor[node.index, j] for j in range(node.size)])
            coefs.append(node.weight / before[:, None] * after)
            intercepts.append(node.bias * after)
    return graph.with_arrays(coefs, intercepts)


def leads_to_output(graph):
    """Whether each entry leads to the output: else nothing determines its scale."""
    leads = {(graph.output.index, j) for j in range(graph.output.size)}
    for node in graph.nodes[:0:-1]:
        leads |= {start for start, end, _, _ in edges_into(graph, node) if end in leads}
    return [(node.index, j) in leads for node in graph.nodes for j in range(node.size)]
