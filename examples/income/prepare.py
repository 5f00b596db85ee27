"""Split the Adult extract into the data of the income project: python prepare.py ADULT_PARQUET OUT_DIR.

reference.parquet holds the training rows, evaluation.parquet unseen rows, production/ two weeks of unseen rows without
label; the second week is drifted (older people, more hours).
"""

import sys
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split


def main(source: str, out: str) -> None:
    folder = Path(out)
    (folder / "production").mkdir(parents=True, exist_ok=True)
    people = pd.read_parquet(source)
    people["income"] = people.pop("class").astype(str).str.contains(">50K").astype("int64")
    train, rest = train_test_split(people, test_size=0.5, random_state=7, stratify=people["income"])
    evaluation, live = train_test_split(rest, test_size=0.4, random_state=7)
    train.to_parquet(folder / "reference.parquet", index=False)
    evaluation.to_parquet(folder / "evaluation.parquet", index=False)
    first, second = train_test_split(live.drop(columns="income"), test_size=0.5, random_state=7)
    first.to_parquet(folder / "production" / "week-1.parquet", index=False)
    second = second[second["age"] > 35].copy()
    second["hours-per-week"] = (second["hours-per-week"] + 8).clip(upper=99)
    second.to_parquet(folder / "production" / "week-2.parquet", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:3])
