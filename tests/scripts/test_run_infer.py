"""run_infer.sh: `transform` with short flags."""

from checkout import Checkout


def test_short_flags_are_the_long_ones(checkout: Checkout) -> None:
    """XF-41."""
    checkout.run("setup.sh")
    checkout.calls()
    words = "-m M -i in -o out -d cuda -P hf -S 16 -C 4 -n 256 -t 0.1 -f text -I Tidy -- --seed 3".split()
    assert checkout.run("run_infer.sh", *words)[0] == 0
    assert checkout.calls()[-1] == (
        "main.py transform --instruction Tidy --model M --input in --output out --device cuda --provider hf "
        "--batch-size 16 --concurrency 4 --max-new-tokens 256 --temperature 0.1 --field text --seed 3"
    )
