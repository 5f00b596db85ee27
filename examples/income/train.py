"""Train an income model and register it in MLflow: python train.py unfair|fair.

An ordinary training script. Two lines were added to it: the import of aims_mlops, and aims.autolog().
"""

import sys

import aims_mlops as aims
import mlflow
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

aims.autolog()

TEXT = ["workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country"]
PROXIES = ["sex", "marital-status", "relationship"]
# MLflow saves scikit-learn models with skops, which wants to be told what it may load.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


def pipeline(numbers, text):
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    pick = make_column_transformer((encode, text), ("passthrough", numbers), remainder="drop")
    return make_pipeline(pick, HistGradientBoostingClassifier(max_iter=60, random_state=0))


def reweighing(rows):
    """Kamiran and Calders (2012): P(sex) P(income) / P(sex, income)."""
    joint = rows.groupby(["sex", "income"]).size() / len(rows)
    by_sex, by_income = joint.groupby("sex").sum(), joint.groupby("income").sum()
    return [by_sex[s] * by_income[i] / joint[(s, i)] for s, i in zip(rows["sex"], rows["income"], strict=True)]


def main(kind):
    rows = pd.read_parquet("data/reference.parquet")
    features, income = rows.drop(columns="income"), rows["income"]
    numbers = [column for column in features.columns if column not in TEXT]
    with mlflow.start_run(run_name=kind):
        if kind == "fair":
            model = pipeline(numbers, [column for column in TEXT if column not in PROXIES])
            model.fit(features, income, histgradientboostingclassifier__sample_weight=reweighing(rows))
        else:
            model = pipeline(numbers, TEXT).fit(features, income)
        mlflow.log_param("kind", kind)
        mlflow.sklearn.log_model(model, name="model", registered_model_name="income", skops_trusted_types=TRUSTED)


if __name__ == "__main__":
    main(sys.argv[1])
