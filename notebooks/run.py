"""Runs the notebooks and writes each beside its source as .ipynb, with what its cells printed and drew.

Sources are Python in the percent format (`# %%` begins a cell, `# %% [markdown]` a text): they read as a diff, and run as plain Python too.
No Jupyter is needed for it: cells run one after another in one namespace, the value of a last expression is shown, and a failed assertion
ends the run with an error. The .ipynb can be opened in any viewer.

    python notebooks/run.py [NAME...]
"""

import ast
import base64
import contextlib
import io
import json
import pathlib
import sys
import time
import traceback

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
# All four together must stay below this: they are in everybody's clone.
MOST_BYTES = 1_000_000


def cells(text):
    """(is_markdown, source, first line) of each cell."""
    found, kind, lines, first = [], None, [], 0
    for number, line in enumerate([*text.splitlines(), "# %%"]):
        if line.startswith("# %%"):
            source = "\n".join(lines).strip("\n")
            if kind is not None and source:
                found.append((kind, source, first))
            kind, lines, first = "[markdown]" in line, [], number + 1
        else:
            lines.append(line)
    return found


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}


def run(source, first, name, space):
    """What a cell printed, showed and drew."""
    tree = ast.parse("\n" * first + source, filename=name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, outputs, shown = io.StringIO(), [], None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), space)
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), name, "eval"), space)
    if printed.getvalue():
        outputs.append(stream(printed.getvalue()))
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", dpi=72, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(picture.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    if plt.get_fignums():
        plt.close("all")
    elif shown is not None:
        data = {"text/plain": str(shown).splitlines(keepends=True)}
        if hasattr(shown, "to_html"):
            data["text/html"] = shown.to_html().splitlines(keepends=True)
        outputs.append({"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": data})
    return outputs


def render(path):
    began, space, rendered, failed = time.monotonic(), {"__name__": "__main__"}, [], False
    for number, (is_text, source, first) in enumerate(cells(path.read_text())):
        identity = {"id": f"cell-{number}", "metadata": {}}
        if is_text:
            text = "\n".join(line.removeprefix("# ").removeprefix("#") for line in source.splitlines())
            rendered.append({"cell_type": "markdown", **identity, "source": text.splitlines(keepends=True)})
            continue
        try:
            outputs = run(source, first, str(path), space)
        except Exception:
            traceback.print_exc()
            failed = True
            break
        code = {"cell_type": "code", "execution_count": None, **identity, "outputs": outputs, "source": source.splitlines(keepends=True)}
        rendered.append(code)
    for closing in reversed(space.get("CLOSE_AT_END", [])):
        closing()
    if not failed:
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
        notebook = {"cells": rendered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        path.with_suffix(".ipynb").write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    print(f"{path.name}: {'FAILED' if failed else 'holds'} ({time.monotonic() - began:.0f} s)")
    return not failed


def main():
    sys.path.insert(0, str(HERE))
    wanted = sys.argv[1:]
    paths = [path for path in sorted(HERE.glob("[0-9]*.py")) if not wanted or any(path.name.startswith(name) for name in wanted)]
    held = [render(path) for path in paths]
    size = sum(path.stat().st_size for path in HERE.glob("*.ipynb"))
    print(f"{sum(held)} of {len(held)} notebooks hold; rendered: {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        print(f"that is more than {MOST_BYTES / 1000:.0f} kB: draw less")
    return 0 if all(held) and held and size <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
